//! `#[derive(LabelValue)]`.

use crate::name::{Text, check_all, check_outer, snake_case};
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Result};

pub(crate) fn implement(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        let text = "LabelValue is derived for an enum, whose variants are the values of a label; for a struct of several \
                    labels derive LabelSet";
        return Err(Error::new_spanned(&input.ident, text));
    };
    check_outer(&input.attrs, "variant")?;
    if data.variants.is_empty() {
        return Err(Error::new_spanned(&input.ident, "an enum without variants has no label values: add one"));
    }
    if let Some(variant) = data.variants.iter().find(|variant| !matches!(variant.fields, Fields::Unit)) {
        let text = "a variant with fields is not one value: remove the fields, or make them fields of the label set";
        return Err(Error::new_spanned(variant, text));
    }
    let text = |variant: &syn::Variant| Text::of(&variant.attrs, &variant.ident, snake_case);
    let texts = data.variants.iter().map(text).collect::<Result<Vec<_>>>()?;
    check_all(&texts, "value", Text::check_value)?;

    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let values: Vec<_> = texts.iter().map(|text| &text.text).collect();
    let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    let indices = 0..variants.len();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::tach::LabelValue for #name #type_generics #where_clause {
            type Domain = ::tach::Closed;
            const VALUES: &'static [&'static ::core::primitive::str] = &[#(#values),*];

            #[inline]
            fn index(&self) -> ::core::primitive::usize {
                match self {
                    #(Self::#variants => #indices,)*
                }
            }

            #[inline]
            fn text<'__text>(&'__text self, _: &'__text mut ::tach::LabelText) -> &'__text ::core::primitive::str {
                match self {
                    #(Self::#variants => #values,)*
                }
            }
        }
    })
}
