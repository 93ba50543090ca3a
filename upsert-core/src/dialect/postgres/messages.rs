//! PostgreSQL's messages for the errors that the engine knows, as it says them in the
//! language of `lc_messages`.
//!
//! SQLSTATE does not reach Diesel's errors. The texts are those of the catalogs that
//! PostgreSQL 15 comes with; `%s` stands for a name. A language or a version that says it
//! otherwise makes the error an unknown one.
//!
//! <https://www.postgresql.org/docs/current/errcodes-appendix.html>

/// A lock was not free within `lock_timeout`: SQLSTATE 55P03.
pub(super) const LOCK_TIMEOUT: &[&str] = &[
    "canceling statement due to lock timeout",
    "storniere Anfrage wegen Zeitüberschreitung einer Sperre",
    "cancelando la sentencia debido a que se agotó el tiempo de espera de candados (locks)",
    "annulation de la requête à cause du délai écoulé pour l'obtention des verrous",
    "annullamento dell'istruzione a causa di timeout di lock",
    "ロックのタイムアウトのためステートメントをキャンセルしています",
    "გამოსახულება გაუქმდება ბლოკის მოლოდინის ვადის ამოწურვის გამო",
    "잠금 대기 시간 초과로 작업을 취소합니다.",
    "выполнение оператора отменено из-за тайм-аута блокировки",
    "avbryter sats på grund av lås-timeout",
    "виконання оператора скасовано через тайм-аут блокування",
    "由于锁超时，正在取消语句",
    "由於鎖定逾時，正在取消敘述",
];

/// A key stands twice in a statement: SQLSTATE 21000.
pub(super) const CARDINALITY: &[&str] = &[
    "%s command cannot affect row a second time",
    "Befehl in %s kann eine Zeile nicht ein zweites Mal ändern",
    "la orden %s no puede afectar una fila por segunda vez",
    "Il comando %s non può influenzare la riga una seconda volta",
    "%sコマンドは単一の行に2度は適用できません",
    "ბრძანებას %s მწკრივის მეორედ შეცვლა არ შეუძლია",
    "%s 명령은 두번째 작업에는 아무런 영향을 주 않음",
    "команда %s не может подействовать на строку дважды",
    "%s-kommandot kan inte påverka raden en andra gång",
    "команда %s не може вплинути на рядок вдруге",
    "%s 命令不能再次影响同一行",
    "%s 命令不能再次影響同一資料列",
];

/// No unique index matches the conflict target: SQLSTATE 42P10.
pub(super) const NO_INDEX: &[&str] = &[
    "there is no unique or exclusion constraint matching the ON CONFLICT specification",
    "es gibt keinen Unique-Constraint oder Exclusion-Constraint, der auf die ON-CONFLICT-Angabe passt",
    "no hay restricción única o de exclusión que coincida con la especificación ON CONFLICT",
    "il n'existe aucune contrainte unique ou contrainte d'exclusion correspondant à la spécification ON CONFLICT",
    "non c'è alcun vincolo di unicità o esclusione che combaci con la specifica ON CONFLICT",
    "ON CONFLICT 指定に合致するユニーク制約または排除制約がありません",
    "უნიკალური ან გამორიცხვის შეზღუდვა, რომელიც ON CONFLICT-ის აღწერას ემთხვევა, არ არსებობს",
    "ON CONFLICT 절을 사용하는 경우, unique 나 exclude 제약 조건이 있어야 함",
    "нет уникального ограничения или ограничения-исключения, соответствующего указанию ON CONFLICT",
    "finns inget unik eller uteslutningsvillkor som matchar ON CONFLICT-specifikationen",
    "немає унікального обмеження або обмеження-виключення відповідного специфікації ON CONFLICT",
    "没有与 ON CONFLICT 指定的冲突目标匹配的唯一约束或排他约束",
    "沒有與 ON CONFLICT 指定的衝突目標匹配的唯一條件約束或排他條件約束",
];

/// There is no constraint of that name: SQLSTATE 42704.
pub(super) const NO_CONSTRAINT: &[&str] = &[
    "constraint \"%s\" for table \"%s\" does not exist",
    "Constraint »%s« für Tabelle »%s« existiert nicht",
    "no existe la restricción «%s» para la tabla «%s»",
    "la contrainte « %s » de la table « %s » n'existe pas",
    "il vincolo \"%s\" per la tabella \"%s\" non esiste",
    "テーブル\"%s\"の制約\"%s\"は存在しません",
    "ცხრილის (%s) შეზღუდვა (%s) არ არსებობს",
    "\"%s\" 제약 조건은 \"%s\" 테이블에 없음",
    "ограничение \"%s\" для таблицы \"%s\" не существует",
    "integritetsvillkor \"%s\" för tabell \"%s\" existerar inte",
    "індексу \"%s\" для таблиці \"%s\" не існує",
    "表 \"%s\" 的约束 \"%s\" 不存在",
    "限制 \"%s\" (適用於資料表 \"%s\") 不存在",
];

/// A statement took longer than `statement_timeout`: SQLSTATE 57014.
pub(super) const NOT_IN_TIME: &[&str] = &[
    "canceling statement due to statement timeout",
    "storniere Anfrage wegen Zeitüberschreitung der Anfrage",
    "cancelando la sentencia debido a que se agotó el tiempo de espera de sentencias",
    "annulation de la requête à cause du délai écoulé pour l'exécution de l'instruction",
    "annullamento dell'istruzione a causa di timeout",
    "ステートメントのタイムアウトのためステートメントをキャンセルしています",
    "명령실행시간 초과로 작업을 취소합니다.",
    "выполнение оператора отменено из-за тайм-аута",
    "avbryter sats på grund av sats-timeout",
    "виконання оператора скасовано через тайм-аут",
    "由于语句执行超时，正在取消语句",
    "因為陳述式逾時，正在取消陳述式",
];

/// A statement was canceled: SQLSTATE 57014.
pub(super) const CANCELED: &[&str] = &[
    "canceling statement due to user request",
    "storniere Anfrage wegen Benutzeraufforderung",
    "cancelando la sentencia debido a una petición del usuario",
    "annulation de la requête à la demande de l'utilisateur",
    "annullamento dell'istruzione su richiesta dell'utente",
    "ユーザーからの要求により文をキャンセルしています",
    "사용자 요청에 의해 작업을 취소합니다.",
    "выполнение оператора отменено по запросу пользователя",
    "avbryter sats på användares begäran",
    "виконання оператора скасовано по запиту користувача",
    "由于用户请求，正在取消语句",
    "因為使用者要求，正在取消陳述式",
];

/// The connection was ended: SQLSTATE 57P01.
pub(super) const TERMINATED: &[&str] = &[
    "terminating connection due to administrator command",
    "Verbindung wird abgebrochen aufgrund von Anweisung des Administrators",
    "terminando la conexión debido a una orden del administrador",
    "arrêt des connexions suite à la demande de l'administrateur",
    "interruzione della connessione su comando dell'amministratore",
    "管理者コマンドにより接続を終了しています",
    "მიერთების შეწყვეტა ადმინისტრატორის ბრძანების გამო",
    "관리자 요청에 의해서 연결을 끝냅니다",
    "закрытие подключения по команде администратора",
    "avslutar anslutning på grund av ett administratörskommando",
    "завершення підключення по команді адміністратора",
    "由于管理员命令，正在终止连接",
    "因管理員命令，正在中斷連線",
];

/// What `PgBouncer` says when it has lost or given up the server's connection, with the
/// SQLSTATE 08P01: `disconnect_client` in its source.
pub(super) const OF_PGBOUNCER: &[&str] = &[
    "server conn crashed?",
    "query timeout",
    "query_timeout",
    "query_wait_timeout",
    "idle transaction timeout",
    "database removed",
];

/// Is `message` one of `texts`?
pub(super) fn is_one_of(message: &str, texts: &[&str]) -> bool {
    texts.iter().any(|text| is(message, text))
}

/// Is `message` the text, with anything in place of each `%s`?
fn is(message: &str, text: &str) -> bool {
    let Some((start, rest)) = text.split_once("%s") else {
        return message == text;
    };
    let (between, end) = rest.rsplit_once("%s").unwrap_or(("", rest));
    message
        .strip_prefix(start)
        .and_then(|message| message.strip_suffix(end))
        .is_some_and(|names| names.contains(between))
}

/// Are these the details of a deadlock, in any language? Each line has the number of a
/// process that waits first, and of the one that it waits for last:
///
/// ```text
/// Process 71 waits for ShareLock on transaction 9; blocked by process 72.
/// Process 72 waits for ShareLock on transaction 8; blocked by process 71.
/// ```
pub(super) fn is_ring(details: &str) -> bool {
    let lines: Option<Vec<(u64, u64)>> = details.lines().map(ends).collect();
    let Some(lines) = lines.filter(|lines| lines.len() > 1) else {
        return false;
    };
    let next = lines.iter().cycle().skip(1);
    lines.iter().zip(next).all(|(line, next)| line.1 == next.0)
}

/// The first and the last number of a line.
fn ends(line: &str) -> Option<(u64, u64)> {
    let mut numbers = line
        .split(|char: char| !char.is_ascii_digit())
        .filter(|number| !number.is_empty())
        .map(|number| number.parse().ok());
    let first = numbers.next()??;
    Some((first, numbers.next_back()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_anything_in_place_of_names() {
        let message = "constraint \"a\" for table \"b for table\" does not exist";
        assert!(is_one_of(message, NO_CONSTRAINT));
        assert!(is_one_of(
            "Constraint »a« für Tabelle »b« existiert nicht",
            NO_CONSTRAINT
        ));
        assert!(!is_one_of("constraint \"a\" does not exist", NO_CONSTRAINT));
        let repeated = "ON CONFLICT DO UPDATE command cannot affect row a second time";
        assert!(is_one_of(repeated, CARDINALITY));
        assert!(is_one_of("由于锁超时，正在取消语句", LOCK_TIMEOUT));
        assert!(!is_one_of(
            "canceling statement due to lock timeout!",
            LOCK_TIMEOUT
        ));
        assert!(!is_one_of("", CARDINALITY));
    }

    #[test]
    fn deadlocks_are_rings_in_every_language() {
        let languages = [
            "Process {} waits for ShareLock on transaction 742; blocked by process {}.",
            "プロセス {} は ShareLock を トランザクション 742 で待機していましたが、プロセス {} でブロックされました",
            "{} 프로세스가 ShareLock 상태로 지연되고 있음(해당 작업: 트랜잭션 742); {} 프로세스에 의해 블록킹되었음",
            "进程 {} 正在等待 事务 742 上的 ShareLock；被进程 {} 阻塞。",
        ];
        for language in languages {
            let details = |pairs: &[(u32, u32)]| {
                let lines = pairs.iter().map(|(waits, blocks)| {
                    let line = language.replacen("{}", &waits.to_string(), 1);
                    line.replacen("{}", &blocks.to_string(), 1)
                });
                lines.collect::<Vec<_>>().join("\n")
            };
            assert!(is_ring(&details(&[(71, 72), (72, 71)])), "{language}");
            assert!(
                is_ring(&details(&[(71, 72), (72, 73), (73, 71)])),
                "{language}"
            );
            assert!(!is_ring(&details(&[(71, 72), (73, 71)])), "{language}");
            assert!(!is_ring(&details(&[(71, 71)])), "{language}");
        }
        assert!(!is_ring("Key (a)=(1) already exists."));
        assert!(!is_ring(""));
    }
}
