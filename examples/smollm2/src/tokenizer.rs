//! The text side of a real model: the tokenizer and the chat template that its GGUF file carries.

use anyhow::{Context, Result, anyhow, ensure};
use candle_core::quantized::gguf_file::Content;
use candle_core::quantized::tokenizer::TokenizerFromGguf;
use minijinja::{Environment, context};
use tokenizers::Tokenizer;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;

use crate::gguf::{self, Gguf};
use crate::stream::Text;

/// For a file without a template.
const CHATML: &str = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n\
                      {% endfor %}<|im_start|>assistant\n";

/// Tokens that end an answer, if the vocabulary has them, beside the one that the file names.
const END_TOKENS: [&str; 5] = ["<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "</s>"];

/// The kind of a control token in GGUF's list of token kinds.
const CONTROL: i64 = 3;

/// See the module.
pub(crate) struct ChatText {
    tokenizer: Tokenizer,
    template: String,
    bos: String,
    eos: String,
    ends: Vec<u32>,
}

impl ChatText {
    /// Builds it from the file's header.
    pub(crate) fn from_gguf(gguf: &Gguf) -> Result<Self> {
        let mut tokenizer = Tokenizer::from_gguf(&gguf.content).context("cannot build the tokenizer from the file")?;
        if let Some(pre) = pre_tokenizer(gguf.text("tokenizer.ggml.pre").unwrap_or("gpt-2")) {
            tokenizer.with_pre_tokenizer(Some(pre));
        }
        let special = |key| {
            let id = gguf.number(key)? as u32;
            Some((id, tokenizer.id_to_token(id)?))
        };
        let eos = special("tokenizer.ggml.eos_token_id");
        let bos = special("tokenizer.ggml.bos_token_id");
        let mut ends: Vec<u32> = eos.iter().map(|(id, _)| *id).collect();
        ends.extend(control_tokens(&gguf.content, &tokenizer));
        ensure!(!ends.is_empty(), "the file names no token that ends a text");
        let template = gguf.text("tokenizer.chat_template").unwrap_or(CHATML).to_owned();
        let text = |token: Option<(u32, String)>| token.map_or_else(String::new, |(_, text)| text);
        Ok(Self { tokenizer, template, bos: text(bos), eos: text(eos), ends })
    }

    /// Tokens of a text in which special tokens may be written out.
    fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(|error| anyhow!(error))?;
        Ok(encoding.get_ids().to_vec())
    }
}

impl Text for ChatText {
    fn encode_chat(&self, message: &str) -> Result<Vec<u32>> {
        let prompt = Environment::new()
            .render_str(
                &self.template,
                context! {
                    messages => [context! { role => "user", content => message }],
                    add_generation_prompt => true,
                    bos_token => self.bos.as_str(),
                    eos_token => self.eos.as_str(),
                },
            )
            .context("cannot apply the file's chat template")?;
        self.encode(&prompt)
    }

    fn decode(&self, tokens: &[u32]) -> Result<String> {
        self.tokenizer.decode(tokens, true).map_err(|error| anyhow!(error))
    }

    fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }
}

/// How a text is cut before pairs are merged, where candle does not know the kind.
///
/// SmolLM's takes every digit by itself, and neither puts a space before the text, as candle's fallback does.
fn pre_tokenizer(kind: &str) -> Option<PreTokenizerWrapper> {
    let byte_level = ByteLevel::new(false, true, true);
    match kind {
        "smollm" => Some(Sequence::new(vec![Digits::new(true).into(), byte_level.into()]).into()),
        "gpt-2" | "gpt2" | "default" => Some(byte_level.into()),
        _ => None,
    }
}

/// Those of [`END_TOKENS`] that the file marks as control tokens.
fn control_tokens(content: &Content, tokenizer: &Tokenizer) -> Vec<u32> {
    let kinds = gguf::numbers(content, "tokenizer.ggml.token_type").unwrap_or_default();
    let is_control = |id: &u32| kinds.get(*id as usize) == Some(&CONTROL);
    END_TOKENS.iter().filter_map(|text| tokenizer.token_to_id(text)).filter(is_control).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompts::PROMPTS;
    use std::path::PathBuf;

    /// The model's text side, if the model is here.
    fn model() -> Option<ChatText> {
        let path = std::env::var_os("SMOLLM2_MODEL").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/model/SmolLM2-135M-Instruct.Q4_1.gguf")),
            PathBuf::from,
        );
        if !path.exists() {
            eprintln!("SKIPPED: there is no model at {}; scripts/demo fetches it", path.display());
            return None;
        }
        Some(ChatText::from_gguf(&gguf::open(&path).unwrap()).unwrap())
    }

    #[test]
    fn text_survives_encoding_and_decoding() {
        let Some(text) = model() else { return };
        let mut samples: Vec<String> = [
            "",
            " ",
            "  two spaces, trailing  ",
            "tab\tnewline\ncarriage\r\n\n\nend",
            "It's 2024-11-24, isn't it? 1234567890 3.14159 1,000,000",
            "fn main() {\n    println!(\"{:?}\", x += 1);\n}",
            "naïve café, Zürich, œuvre, Ελληνικά, Русский, עברית, العربية",
            "漢字かな交じり文。한국어도. ภาษาไทย",
            "emoji 👩‍👩‍👧‍👦🏳️‍🌈🇨🇭 and 𝕸𝖆𝖙𝖍 ∑∫√",
            "zero\u{200b}width\u{feff}, non\u{a0}breaking, line\u{2028}separator",
            "e\u{301} is not é: nothing may be normalised",
            "control \u{1} \u{7} \u{1b}[2K \u{7f}",
        ]
        .map(String::from)
        .into();
        samples.extend(PROMPTS.iter().map(|prompt| (*prompt).to_owned()));
        samples.extend(('\u{20}'..='\u{2fff}').step_by(7).map(|c| format!("a{c}{c} {c}")));
        for sample in &samples {
            let tokens = text.encode(sample).unwrap();
            assert_eq!(&text.decode(&tokens).unwrap(), sample, "{tokens:?}");
        }
    }

    #[test]
    fn digits_stand_alone_and_no_space_is_put_before_the_text() {
        let Some(text) = model() else { return };
        let encoding = text.tokenizer.encode("Hello world 2024", false).unwrap();
        assert_eq!(encoding.get_tokens(), ["Hello", "Ġworld", "Ġ", "2", "0", "2", "4"]);
    }

    #[test]
    fn the_chat_template_frames_a_message() {
        let Some(text) = model() else { return };
        let tokens = text.encode_chat("Hi there").unwrap();
        let shown = text.tokenizer.decode(&tokens, false).unwrap();
        assert!(shown.starts_with("<|im_start|>system\n"), "{shown}");
        assert!(shown.ends_with("<|im_start|>user\nHi there<|im_end|>\n<|im_start|>assistant\n"), "{shown}");
        // The markers are single tokens, not spelt out.
        let start = text.tokenizer.token_to_id("<|im_start|>").unwrap();
        assert_eq!(tokens.iter().filter(|token| **token == start).count(), 3);
    }

    #[test]
    fn answers_end_at_the_models_own_end_tokens() {
        let Some(text) = model() else { return };
        for (token, ends) in [("<|im_end|>", true), ("<|endoftext|>", true), ("<|im_start|>", false), ("the", false)] {
            let id = text.tokenizer.token_to_id(token).unwrap();
            assert_eq!(text.is_end(id), ends, "{token}");
        }
    }
}
