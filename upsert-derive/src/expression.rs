//! The expressions of the attributes, as SQL of each database.
//!
//! They are typed where they are written, once for each database, by a trait
//! beside the impls:
//!
//! ```text
//! trait __UpsertExpressions: Dialect { fn at<L>(index: usize) -> Fragment<Self>; }
//! ```

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::Expr;
use syn::spanned::Spanned;

use crate::ast::{Container, Kind};
use crate::paths::{Paths, site};
use crate::rewrite;
use crate::row;
use crate::rule::Rule;

/// The struct's own expressions; their indices are those of the trait.
pub(crate) struct Expressions<'a> {
    container: &'a Container<'a>,
    all: Vec<Expression<'a>>,
}

struct Expression<'a> {
    expr: &'a Expr,
    role: Role<'a>,
}

/// What an expression is for.
#[derive(Clone, Copy)]
enum Role<'a> {
    /// The new value of a field's column; the index of the field.
    Field(usize, &'a Ident),
    /// The new value of a column that the model does not have.
    Other(Rule, &'a Ident),
    UpdateIf,
    Target,
    TargetWhere,
}

impl<'a> Expressions<'a> {
    pub(crate) fn new(container: &'a Container<'_>) -> Self {
        let attrs = &container.attrs;
        let fields = container.fields.iter().enumerate();
        let of_fields = fields.filter_map(|(index, field)| {
            let (column, expr) = field.expression()?;
            let role = Role::Field(index, &column.ident);
            Some(Expression { expr, role })
        });
        let others = attrs.assignments().map(|(rule, _, it)| Expression {
            expr: &it.expression,
            role: Role::Other(rule, &it.column),
        });
        let with = |role| move |expr| Expression { expr, role };
        let update_if = attrs.update_if.iter().map(|it| &it.value);
        let target = attrs.target.iter().flat_map(|it| &it.value);
        let target_where = attrs.target_where.iter().map(|it| &it.value);
        let all = of_fields
            .chain(others)
            .chain(update_if.map(with(Role::UpdateIf)))
            .chain(target.map(with(Role::Target)))
            .chain(target_where.map(with(Role::TargetWhere)))
            .collect();
        Self { container, all }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// `BindFields::expressions`, where there is something to say.
    pub(crate) fn method(&self, paths: &Paths<'_>, db: &Ident) -> Option<TokenStream> {
        if self.is_empty() && !self.container.has_embedded() {
            return None;
        }
        let p = paths.private(site());
        let positions = row::positions(self.container, paths);
        let is_of_field = |it: &Expression<'_>| matches!(it.role, Role::Field(..));
        let statements = |wanted: bool| {
            let all = self.all.iter().enumerate();
            let wanted = all.filter(move |(_, it)| is_of_field(it) == wanted);
            wanted.map(|(index, it)| it.statement(index, &positions, paths, db))
        };
        let (of_fields, others) = (statements(true), statements(false));
        let embedded = self.embedded(&positions, paths, db);
        Some(quote_spanned! {site()=>
            fn expressions(
                __upsert_first: #p::core::primitive::usize,
                __upsert_into: &mut #p::Expressions<#db>,
            ) {
                #(#of_fields)*
                #(#embedded)*
                #(#others)*
            }
        })
    }

    /// Those of the embedded structs.
    fn embedded(
        &self,
        positions: &[TokenStream],
        paths: &Paths<'_>,
        db: &Ident,
    ) -> Vec<TokenStream> {
        let fields = self.container.fields.iter().zip(positions);
        let embedded = fields.filter(|(field, _)| matches!(field.kind, Kind::Embedded));
        let statements = embedded.map(|(field, position)| {
            let binds = row::embedded_binds(self.container, field, paths, db);
            quote_spanned! {field.span=>
                #binds::expressions(#position, __upsert_into);
            }
        });
        statements.collect()
    }

    /// The trait beside the impls, where it is needed.
    pub(crate) fn items(&self, paths: &Paths<'_>) -> Option<TokenStream> {
        if self.is_empty() {
            return None;
        }
        let p = paths.private(site());
        let table = &self.container.table;
        let columns = self.columns(paths);
        let body = self.body(paths);
        Some(quote_spanned! {site()=>
            // No `#[diagnostic::..]`: under `no_implicit_prelude` it is not there.
            trait __UpsertExpressions: #p::Dialect {
                fn at<__UpsertL>(__upsert_index: #p::core::primitive::usize) -> #p::Fragment<Self>;
            }

            // Among the columns, a path to the table could begin with one.
            // Without a database, nothing is written.
            #[allow(unused_imports)]
            use #table as __upsert_table;
            #(#columns)*

            #p::on_each_backend! {
                impl __UpsertExpressions for __UpsertBackend {
                    // What an expression does not need is imported all the
                    // same, and makes the paths in it longer than they need
                    // be; and what was an expression in parentheses is an
                    // argument now.
                    #[allow(unused_imports, unused_qualifications, unused_parens, unused_braces)]
                    fn at<__UpsertL>(
                        __upsert_index: #p::core::primitive::usize,
                    ) -> #p::Fragment<__UpsertBackend> {
                        use __upsert_table::columns::*;
                        use #p::excluded;
                        use #p::expression_methods::*;
                        use #p::{AsFragment as _, NoFragment as _};

                        #body
                    }
                }
            }
        })
    }

    /// An alias for the column of each expression that has one.
    fn columns(&self, paths: &Paths<'_>) -> Vec<TokenStream> {
        let all = self.all.iter().enumerate();
        let columns = all.filter_map(|(index, it)| {
            let column = it.column()?;
            let span = site().located_at(column.span());
            let alias = column_alias(index, span);
            let column = paths.column_at(span, column);
            Some(quote_spanned!(span=> #[allow(dead_code)] type #alias = #column;))
        });
        columns.collect()
    }

    /// The fragment at `__upsert_index`.
    fn body(&self, paths: &Paths<'_>) -> TokenStream {
        let arms = self.all.iter().enumerate().map(|(index, it)| {
            let fragment = it.fragment(index, paths);
            if index + 1 == self.all.len() {
                quote_spanned!(site()=> _ => #fragment,)
            } else {
                let index = Literal::usize_unsuffixed(index);
                quote_spanned!(site()=> #index => #fragment,)
            }
        });
        quote_spanned!(site()=> match __upsert_index { #(#arms)* })
    }
}

fn column_alias(index: usize, span: Span) -> Ident {
    format_ident!("__UpsertColumn{index}", span = span)
}

impl Expression<'_> {
    /// Where the user should see the faults in it.
    fn span(&self) -> Span {
        site().located_at(self.expr.span())
    }

    fn column(&self) -> Option<&Ident> {
        match self.role {
            Role::Field(_, column) | Role::Other(_, column) => Some(column),
            Role::UpdateIf | Role::Target | Role::TargetWhere => None,
        }
    }

    /// Hands it to `Expressions`.
    fn statement(
        &self,
        index: usize,
        positions: &[TokenStream],
        paths: &Paths<'_>,
        db: &Ident,
    ) -> TokenStream {
        let p = paths.private(site());
        let index = Literal::usize_unsuffixed(index);
        let fragment = quote_spanned! {site()=>
            <#db as __UpsertExpressions>::at::<()>(#index)
        };
        let into = quote_spanned!(site()=> #p::Expressions);
        match self.role {
            Role::Field(field, _) => {
                let position = &positions[field];
                quote_spanned!(site()=> #into::column(__upsert_into, #position, #fragment);)
            }
            Role::Other(rule, column) => {
                let span = site().located_at(column.span());
                let p = paths.private(span);
                let column = paths.column_at(span, column);
                let rule = Ident::new(rule.variant(), span);
                let def = quote_spanned!(span=> #p::ColumnDef::of::<#column>(#p::Rule::#rule));
                quote_spanned!(site()=> #into::other(__upsert_into, #def, #fragment);)
            }
            Role::UpdateIf => quote_spanned!(site()=> #into::update_if(__upsert_into, #fragment);),
            Role::Target => quote_spanned!(site()=> #into::target(__upsert_into, #fragment);),
            Role::TargetWhere => {
                quote_spanned!(site()=> #into::target_where(__upsert_into, #fragment);)
            }
        }
    }

    /// Makes a `Fragment` of it, and checks its type.
    fn fragment(&self, index: usize, paths: &Paths<'_>) -> TokenStream {
        let span = self.span();
        let p = paths.private(span);
        let column = column_alias(index, span).into_token_stream();
        let table = quote_spanned!(span=> __upsert_table::table);
        let (check, of) = match self.role {
            Role::Field(..) | Role::Other(..) => ("assigned", column),
            Role::UpdateIf | Role::TargetWhere => ("condition", table),
            Role::Target => ("target_part", table),
        };
        let expr = match self.role {
            Role::Target | Role::TargetWhere => rewrite::with_literals(self.expr, paths),
            _ => rewrite::grouped(self.expr),
        };
        // Among the user's own tokens, rustc does not show the derive too.
        let among = self.expr.span();
        let private = paths.private_among(among);
        let check = Ident::new(check, among);
        let typed = quote_spanned!(among=> #private::#check::<#of, _>(#expr));
        quote_spanned! {span=>
            (&&#p::Written::<__UpsertBackend, _>::new(#typed)).__upsert_fragment()
        }
    }
}
