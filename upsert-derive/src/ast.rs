//! The struct and its fields, with their attributes.

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Expr, Index, Member, Path, Type, parse_quote_spanned};

use crate::attr::{ConflictRule, FieldAttrs, Keyed, StructAttrs};
use crate::ctxt::Ctxt;
use crate::diag::{self, err};
use crate::rule::Rule;
use crate::{naming, symbol, ty};

/// The struct.
pub(crate) struct Container<'a> {
    pub(crate) original: &'a DeriveInput,
    pub(crate) attrs: StructAttrs,
    /// The path of `upsert-core`.
    pub(crate) krate: Path,
    /// The module that `diesel::table!` made.
    pub(crate) table: Path,
    pub(crate) fields: Vec<Field<'a>>,
}

/// A field of the struct.
pub(crate) struct Field<'a> {
    pub(crate) original: &'a syn::Field,
    pub(crate) attrs: FieldAttrs<'a>,
    pub(crate) member: Member,
    /// Where generated code that fails because of this field should fail.
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

/// What a field contributes to a row.
pub(crate) enum Kind {
    /// Nothing: `#[diesel(skip_insertion)]`.
    Skipped,
    /// The columns of another struct: `#[diesel(embed)]`.
    Embedded,
    Column(Column),
}

/// A field's column.
pub(crate) struct Column {
    /// The type's name in the module of the table.
    pub(crate) ident: Ident,
    pub(crate) rule: Rule,
    pub(crate) is_key: bool,
}

/// What `None` stands for in a field that is an `Option`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoneMeans {
    /// NULL on a nullable column, not supplied on another.
    AsColumn,
    /// Not supplied: `treat_none_as_default_value = true`.
    NotSupplied,
    /// NULL: `treat_none_as_default_value = false`.
    Null,
}

impl<'a> Container<'a> {
    /// Never fails: what is wrong goes to `cx`, and a default takes its place.
    pub(crate) fn from_ast(cx: &Ctxt, input: &'a DeriveInput) -> Self {
        let name = &input.ident;
        let attrs = StructAttrs::from_ast(cx, &input.attrs, &name.to_string());
        let krate = match &attrs.krate {
            Some(krate) => krate.value.clone(),
            None => parse_quote_spanned!(Span::mixed_site()=> ::upsert_core),
        };
        let table = match &attrs.table_name {
            Some(table) => table.value.clone(),
            None => infer_table(name),
        };
        let fields = fields(cx, input)
            .enumerate()
            .map(|(index, field)| Field::from_ast(cx, field, index, &attrs))
            .collect();
        Self {
            original: input,
            attrs,
            krate,
            table,
            fields,
        }
    }

    pub(crate) fn has_embedded(&self) -> bool {
        let mut kinds = self.fields.iter().map(|it| &it.kind);
        kinds.any(|kind| matches!(kind, Kind::Embedded))
    }

    /// The fields that are columns.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (&Field<'a>, &Column)> {
        self.fields.iter().filter_map(|field| match &field.kind {
            Kind::Column(column) => Some((field, column)),
            Kind::Skipped | Kind::Embedded => None,
        })
    }

    pub(crate) fn has_key(&self) -> bool {
        self.columns().any(|(_, column)| column.is_key)
    }

    /// Is a column updated where a row exists, one of the struct's own?
    pub(crate) fn has_update(&self) -> bool {
        let mut columns = self.columns();
        columns.any(|(_, column)| column.rule.is_update()) || self.attrs.assignments().count() > 0
    }

    /// Is an updated column compared to see whether a row changes?
    pub(crate) fn has_compared(&self) -> bool {
        let mut columns = self.columns();
        columns.any(|(_, column)| column.rule.is_compared()) || self.attrs.set.is_some()
    }

    /// Where it is written that a column is only updated along with others.
    pub(crate) fn touch(&self) -> Option<&Ident> {
        let rules = self.fields.iter().filter_map(Field::written_rule);
        let mut touches = rules.filter(|it| it.value.rule == Rule::Touch);
        let of_struct = self.attrs.touch.as_ref().map(|it| &it.key);
        touches.next().map(|it| &it.key).or(of_struct)
    }

    /// The table's primary key is the conflict target, as far as the struct's
    /// own attributes tell.
    pub(crate) fn targets_primary_key(&self) -> bool {
        !self.has_key() && !self.attrs.has_target()
    }

    /// The field's position among those that are not skipped: in `FIELDS`.
    pub(crate) fn position_in_fields(&self, index: usize) -> usize {
        let before = self.fields.iter().take(index);
        before
            .filter(|it| !matches!(it.kind, Kind::Skipped))
            .count()
    }

    /// The field with its index.
    pub(crate) fn field(&self, member: &Member) -> Option<(usize, &Field<'a>)> {
        let mut fields = self.fields.iter().enumerate();
        fields.find(|(_, field)| is_same(&field.member, member))
    }

    /// The column of the field that is called `name` in `table!`.
    pub(crate) fn column(&self, name: &Ident) -> Option<(&Field<'a>, &Column)> {
        let mut columns = self.columns();
        columns.find(|(_, column)| column.ident.unraw() == name.unraw())
    }

    pub(crate) fn none_means(&self, field: &Field<'_>) -> NoneMeans {
        let own = field.attrs.treat_none_as_default_value.as_ref();
        match own.or(self.attrs.treat_none_as_default_value.as_ref()) {
            None => NoneMeans::AsColumn,
            Some(it) if it.value => NoneMeans::NotSupplied,
            Some(_) => NoneMeans::Null,
        }
    }
}

fn is_same(a: &Member, b: &Member) -> bool {
    match (a, b) {
        (Member::Named(a), Member::Named(b)) => a.unraw() == b.unraw(),
        (Member::Unnamed(a), Member::Unnamed(b)) => a.index == b.index,
        _ => false,
    }
}

fn infer_table(name: &Ident) -> Path {
    let inferred = naming::infer_table_name(&name.unraw().to_string());
    let segment = naming::path_segment(&inferred, name.span());
    segment.unwrap_or_else(|| name.clone()).into()
}

/// The fields, of which there must be some.
fn fields<'a>(cx: &Ctxt, input: &'a DeriveInput) -> impl Iterator<Item = &'a syn::Field> + use<'a> {
    let fields = match &input.data {
        Data::Struct(data) if !data.fields.is_empty() => Some(&data.fields),
        other => {
            let name = &input.ident;
            let is = match other {
                Data::Struct(_) => "has no fields",
                Data::Enum(_) => "is an enum",
                Data::Union(_) => "is a union",
            };
            let what = err(name, format!("`{name}` {is}, so it has no columns"));
            cx.error(what.note("`Upsertable` is derived for structs with a field per column"));
            None
        }
    };
    fields.into_iter().flatten()
}

impl<'a> Field<'a> {
    fn from_ast(cx: &Ctxt, field: &'a syn::Field, index: usize, of_struct: &StructAttrs) -> Self {
        let written_at = match &field.ident {
            Some(ident) => ident.span(),
            None => field.ty.span(),
        };
        let span = Span::mixed_site().located_at(written_at);
        let member = match &field.ident {
            Some(ident) => Member::Named(ident.clone()),
            None => Member::Unnamed(Index {
                // More fields than a `u32` counts do not compile.
                index: u32::try_from(index).unwrap_or(u32::MAX),
                span,
            }),
        };
        let attrs = FieldAttrs::from_ast(cx, &field.attrs, &diag::member(&member));
        let kind = if attrs.skip_insertion.is_some() {
            Kind::Skipped
        } else if attrs.embed.is_some() {
            Kind::Embedded
        } else {
            Kind::Column(Column {
                ident: column_ident(cx, field, &attrs, index, span),
                rule: rule(&attrs, of_struct),
                is_key: attrs.conflict_key.is_some(),
            })
        };
        Self {
            original: field,
            attrs,
            member,
            span,
            kind,
        }
    }

    /// The field's name in messages.
    pub(crate) fn name(&self) -> String {
        diag::member(&self.member)
    }

    /// The type that is written to the column.
    pub(crate) fn written_ty(&self) -> &Type {
        match &self.attrs.serialize_as {
            Some(serialize_as) => &serialize_as.value,
            None => &self.original.ty,
        }
    }

    /// Does a row's value pass through `Fields::Converted`?
    pub(crate) fn is_converted(&self) -> bool {
        match self.kind {
            Kind::Skipped => false,
            Kind::Embedded => true,
            Kind::Column(_) => self.attrs.serialize_as.is_some() || self.default().is_some(),
        }
    }

    /// The value that is inserted where the field is `None`.
    pub(crate) fn default(&self) -> Option<&Expr> {
        let on_insert = self.attrs.on_insert.as_ref()?;
        on_insert.default.as_ref().map(|it| &it.value)
    }

    /// The rule as it is written.
    pub(crate) fn written_rule(&self) -> Option<&Keyed<ConflictRule>> {
        self.attrs.on_conflict.as_ref()?.rule.as_ref()
    }

    /// The column and its expression, where its rule has one.
    pub(crate) fn expression(&self) -> Option<(&Column, &Expr)> {
        let Kind::Column(column) = &self.kind else {
            return None;
        };
        let expression = self.written_rule()?.value.expression.as_ref()?;
        Some((column, expression))
    }

    pub(crate) fn is_option(&self) -> bool {
        ty::is_option(self.written_ty())
    }
}

fn column_ident(
    cx: &Ctxt,
    field: &syn::Field,
    attrs: &FieldAttrs<'_>,
    index: usize,
    span: Span,
) -> Ident {
    // Never used, since there is an error.
    let placeholder = || format_ident!("__upsert_{index}", span = span);
    let (name, span) = match (&attrs.column_name, &field.ident) {
        (Some(name), _) => (&name.value.text, span.located_at(name.value.span)),
        (None, Some(ident)) => (&ident.unraw().to_string(), span),
        (None, None) => {
            let what = format!("field `{index}` has no column");
            let form = symbol::COLUMN_NAME.form;
            cx.error(err(&field.ty, what).help(format!("name it with `{form}`")));
            return placeholder();
        }
    };
    naming::path_segment(name, span).unwrap_or_else(|| {
        if let Some(column_name) = &attrs.column_name {
            let what = format!("`{name}` cannot be a column in `diesel::table!`");
            let form = symbol::COLUMN_NAME.form;
            let help = format!("name the column as `table!` does: `{form}`");
            cx.error(err(&column_name.key, what).help(help));
        }
        placeholder()
    })
}

fn rule(attrs: &FieldAttrs<'_>, of_struct: &StructAttrs) -> Rule {
    let is_key = attrs.conflict_key.is_some();
    match &attrs.on_conflict {
        // Where the columns are the target, they are the same in both rows.
        Some(_) if is_key && !of_struct.has_target() => Rule::Keep,
        Some(on_conflict) => match &on_conflict.rule {
            Some(rule) => rule.value.rule,
            None => Rule::Keep,
        },
        None if of_struct.update_all.is_some() && !is_key => Rule::Update,
        None => Rule::Keep,
    }
}
