#![no_main]
// What only the macro itself uses.
#![allow(dead_code)]

#[path = "../../upsert-derive/src/ast.rs"]
mod ast;
#[path = "../../upsert-derive/src/attr.rs"]
mod attr;
#[path = "../../upsert-derive/src/backend.rs"]
mod backend;
#[path = "../../upsert-derive/src/bound.rs"]
mod bound;
#[path = "../../upsert-derive/src/check.rs"]
mod check;
#[path = "../../upsert-derive/src/ctxt.rs"]
mod ctxt;
#[path = "../../upsert-derive/src/derive.rs"]
mod derive;
#[path = "../../upsert-derive/src/diag.rs"]
mod diag;
#[path = "../../upsert-derive/src/expand.rs"]
mod expand;
#[path = "../../upsert-derive/src/expression.rs"]
mod expression;
#[path = "../../upsert-derive/src/fallback.rs"]
mod fallback;
#[path = "../../upsert-derive/src/fields.rs"]
mod fields;
#[path = "../../upsert-derive/src/fuzzing.rs"]
mod fuzzing;
#[path = "../../upsert-derive/src/guard.rs"]
mod guard;
#[path = "../../upsert-derive/src/hint.rs"]
mod hint;
#[path = "../../upsert-derive/src/naming.rs"]
mod naming;
#[path = "../../upsert-derive/src/parse.rs"]
mod parse;
#[path = "../../upsert-derive/src/paths.rs"]
mod paths;
#[path = "../../upsert-derive/src/rewrite.rs"]
mod rewrite;
#[path = "../../upsert-derive/src/row.rs"]
mod row;
#[path = "../../upsert-derive/src/rule.rs"]
mod rule;
#[path = "../../upsert-derive/src/symbol.rs"]
mod symbol;
#[path = "../../upsert-derive/src/target.rs"]
mod target;
#[path = "../../upsert-derive/src/tokens.rs"]
mod tokens;
#[path = "../../upsert-derive/src/ty.rs"]
mod ty;
#[path = "../../upsert-derive/src/validate/mod.rs"]
mod validate;
#[path = "../../upsert-derive/src/visit.rs"]
mod visit;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzzing::derive_input(data);
});
