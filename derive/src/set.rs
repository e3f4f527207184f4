//! `#[derive(LabelSet)]`.

use crate::name::{Text, check_all, check_outer};
use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, FieldsNamed, GenericParam, Generics, Ident, Result, Type};

pub(crate) fn implement(input: &DeriveInput) -> Result<TokenStream> {
    let fields = fields(input)?;
    check_outer(&input.attrs, "field")?;
    let ident = |field: &Field| field.ident.clone().expect("named fields");
    let idents: Vec<Ident> = fields.named.iter().map(ident).collect();
    let text = |(field, ident): (&Field, &Ident)| Text::of(&field.attrs, ident, str::to_owned);
    let texts = fields.named.iter().zip(&idents).map(text).collect::<Result<Vec<_>>>()?;
    check_all(&texts, "label", Text::check_name)?;

    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let predicates = where_clause.map(|clause| clause.predicates.iter());
    let predicates = predicates.into_iter().flatten();
    let bounds = bounds(&input.generics, fields);
    let elsewhere = elsewhere(&input.generics);
    let labels = fields
        .named
        .iter()
        .zip(&texts)
        .map(|(Field { ty, .. }, Text { text, .. })| quote_spanned!(ty.span()=> ::tach::Label::of::<#ty>(#text)));
    let domain = domain(&input.generics, fields);
    let count = texts.len();
    let array = array(&input.generics, fields);
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::tach::LabelSet for #name #type_generics
        where
            #(#predicates,)*
            #(#bounds,)*
        {
            type At<'__at> = #name #elsewhere;

            type Domain = #domain;

            type Array<__M: ::core::marker::Send + ::core::marker::Sync + 'static> = ::std::sync::Arc<#array>;

            type Row<__Text: ::core::marker::Send + ::core::marker::Sync> = [__Text; #count];

            const LABELS: &'static [::tach::Label] = &[#(#labels),*];

            #[inline]
            fn index(&self) -> ::core::primitive::usize {
                let index = 0;
                #(let index = ::tach::Label::digit(index, &self.#idents);)*
                index
            }

            #[inline]
            fn texts<__Then>(
                &self,
                then: impl ::core::ops::FnOnce([&::core::primitive::str; #count]) -> __Then,
            ) -> __Then {
                then([#(::tach::LabelValue::text(&self.#idents, &mut ::tach::LabelText::new())),*])
            }
        }
    })
}

/// The fields that are to be labels.
fn fields(input: &DeriveInput) -> Result<&FieldsNamed> {
    let text = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) if !fields.named.is_empty() => return Ok(fields),
            Fields::Unnamed(_) => {
                "the fields of a label set are its labels, and need names: write struct S { label: T }"
            }
            Fields::Named(_) | Fields::Unit => {
                "a label set without fields has no labels: leave label_set(..) out instead"
            }
        },
        Data::Enum(_) => {
            "LabelSet is derived for a struct, whose fields are the labels; for an enum that is one label's values derive \
             LabelValue, and make it a field"
        }
        Data::Union(_) => "LabelSet is derived for a struct, whose fields are the labels; a union's cannot be read",
    };
    Err(Error::new_spanned(&input.ident, text))
}

/// What the implementation asks of type parameters; and of the types of fields without parameters, which makes a type
/// that is no label value one error, and not one for each use.
fn bounds(generics: &Generics, fields: &FieldsNamed) -> Vec<TokenStream> {
    let parameters = generics.type_params().map(|parameter| {
        let ident = &parameter.ident;
        quote!(#ident: ::tach::LabelValue + 'static)
    });
    let plain = fields.named.iter().map(|field| &field.ty).filter(|ty| is_plain(ty, generics));
    parameters.chain(plain.map(|ty| quote_spanned!(ty.span()=> #ty: ::tach::LabelValue))).collect()
}

/// Whether a type names neither a lifetime nor a parameter. (Of one that does, a bound would hide how it holds.)
fn is_plain(ty: &Type, generics: &Generics) -> bool {
    !names_parameter(ty.to_token_stream(), generics) && !any(ty.to_token_stream(), &|token| is_tick(token))
}

/// Whether a type depends on a type or a constant that is a parameter.
fn names_parameter(ty: TokenStream, generics: &Generics) -> bool {
    let parameters: Vec<&Ident> = generics.params.iter().filter_map(ident).collect();
    any(ty, &|token| matches!(token, TokenTree::Ident(ident) if parameters.contains(&ident)))
}

fn any(tokens: TokenStream, is: &dyn Fn(&TokenTree) -> bool) -> bool {
    tokens.into_iter().any(|token| match &token {
        TokenTree::Group(group) => any(group.stream(), is),
        token => is(token),
    })
}

/// Whether a lifetime's name follows.
fn is_tick(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == '\'')
}

fn ident(parameter: &GenericParam) -> Option<&Ident> {
    match parameter {
        GenericParam::Lifetime(_) => None,
        GenericParam::Type(parameter) => Some(&parameter.ident),
        GenericParam::Const(parameter) => Some(&parameter.ident),
    }
}

/// The type's arguments with `'__at` for every lifetime.
fn elsewhere(generics: &Generics) -> TokenStream {
    let arguments = generics.params.iter().map(|parameter| match ident(parameter) {
        Some(ident) => ident.to_token_stream(),
        None => quote!('__at),
    });
    quote!(<#(#arguments),*>)
}

/// Whether the set is closed. In a constant, as far as parameters have no say: a type must not name private ones.
fn domain(generics: &Generics, fields: &FieldsNamed) -> TokenStream {
    let types = || fields.named.iter().map(|field| &field.ty);
    let domain = |ty: &TokenStream, span| quote_spanned!(span=> <#ty as ::tach::LabelValue>::Domain);
    let known = types().filter(|ty| !names_parameter(ty.to_token_stream(), generics)).map(|ty| {
        let domain = domain(&with_static(ty.to_token_stream()), ty.span());
        quote_spanned!(ty.span()=> <#domain as ::tach::Domain>::IS_CLOSED)
    });
    let known = quote!(<::tach::DomainIf<{ true #(&& #known)* }> as ::tach::Known>::Domain);
    let others = types().filter(|ty| names_parameter(ty.to_token_stream(), generics));
    let others = others.map(|ty| domain(&ty.to_token_stream(), ty.span()));
    others.fold(known, |all, domain| quote!(<#all as ::tach::Domain>::And<#domain>))
}

/// How the series of a closed set are kept. Where a parameter has a say in their number it cannot be part of the type.
fn array(generics: &Generics, fields: &FieldsNamed) -> TokenStream {
    if fields.named.iter().any(|field| names_parameter(field.ty.to_token_stream(), generics)) {
        return quote!([__M]);
    }
    let radices = fields.named.iter().map(|field| {
        let ty = with_static(field.ty.to_token_stream());
        quote_spanned!(field.ty.span()=> <#ty as ::tach::LabelValue>::VALUES.len())
    });
    quote!([__M; { 1 #(* #radices)* }])
}

/// The type with `'static` for every lifetime: none else may stand in a constant.
fn with_static(tokens: TokenStream) -> TokenStream {
    let mut after_tick = false;
    let map = |token| {
        let in_lifetime = std::mem::replace(&mut after_tick, is_tick(&token));
        match token {
            TokenTree::Ident(ident) if in_lifetime => Ident::new("static", ident.span()).into(),
            TokenTree::Group(group) => {
                let mut inner = proc_macro2::Group::new(group.delimiter(), with_static(group.stream()));
                inner.set_span(group.span());
                inner.into()
            }
            token => token,
        }
    };
    tokens.into_iter().map(map).collect()
}
