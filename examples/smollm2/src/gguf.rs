//! Opening a GGUF file, and weights in a form that candle computes quickly with.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Cursor, ErrorKind, Read, Seek};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use candle_core::Device;
use candle_core::quantized::gguf_file::{self, Content, Value};
use candle_core::quantized::{GgmlDType, QTensor};

/// A file whose header has been read.
pub(crate) struct Gguf {
    pub(crate) content: Content,
    reader: BufReader<File>,
}

/// Weights for candle to build a model from: the file itself, or its like in memory.
pub(crate) enum Weights {
    AsStored(Content, BufReader<File>),
    Converted(Content, Cursor<Vec<u8>>),
}

/// Opens a model and makes sure that it is one this program can run.
pub(crate) fn open(path: &Path) -> Result<Gguf> {
    let shown = path.display();
    let mut file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow::anyhow!(
            "there is no model at {shown}; scripts/demo fetches it, --model PATH takes another one, \
             and --mock runs without"
        ),
        _ => anyhow::Error::new(error).context(format!("cannot open {shown}")),
    })?;
    ensure!(!file.metadata()?.is_dir(), "{shown} is a directory, not a GGUF file");
    let mut magic = [0; 4];
    let read = file.read(&mut magic).with_context(|| format!("cannot read {shown}"))?;
    ensure!(read == 4 && &magic == b"GGUF", "{shown} is not a GGUF file");
    file.rewind()?;

    let mut reader = BufReader::new(file);
    let content = Content::read(&mut reader)
        .with_context(|| format!("cannot read the header of {shown}; the file may be damaged or cut short"))?;
    let gguf = Gguf { content, reader };
    let architecture = gguf.text("general.architecture").unwrap_or("unknown");
    ensure!(architecture == "llama", "{shown} holds a model of the architecture {architecture}; only llama runs here");
    Ok(gguf)
}

impl Gguf {
    /// A text from the header.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.content.metadata.get(key)?.to_string().ok().map(String::as_str)
    }

    /// A number from the header.
    pub(crate) fn number(&self, key: &str) -> Option<usize> {
        let value = self.content.metadata.get(key)?;
        value.to_u32().ok().map(|number| number as usize).or_else(|| usize::try_from(value.to_u64().ok()?).ok())
    }

    /// Weights as the file has them.
    pub(crate) fn unconverted(self) -> Weights {
        Weights::AsStored(self.content, self.reader)
    }

    /// Weights with every tensor as Q8_0 for whose kind candle has no vector code; and how many those were.
    ///
    /// Candle multiplies Q4_1, Q5_0 and Q5_1 one value at a time: four times slower here than Q8_0, whose eight bits
    /// hold the four or five of these almost exactly. Candle builds a model from a file only, so this writes one in
    /// memory.
    pub(crate) fn in_quick_form(mut self) -> Result<(Weights, usize)> {
        let slow = |dtype| matches!(dtype, GgmlDType::Q4_1 | GgmlDType::Q5_0 | GgmlDType::Q5_1);
        let count = self.content.tensor_infos.values().filter(|info| slow(info.ggml_dtype)).count();
        if count == 0 {
            return Ok((self.unconverted(), 0));
        }
        let device = Device::Cpu;
        let mut tensors: HashMap<&str, QTensor> = HashMap::new();
        for name in self.content.tensor_infos.keys() {
            let stored = self.content.tensor(&mut self.reader, name, &device);
            let stored = stored.with_context(|| format!("cannot read {name}; the file may be cut short"))?;
            let tensor = match slow(stored.dtype()) {
                true => QTensor::quantize(&stored.dequantize(&device)?, GgmlDType::Q8_0)?,
                false => stored,
            };
            tensors.insert(name, tensor);
        }
        // Without the vocabulary: the model has no use for it, and it is most of the header.
        let metadata: Vec<(&str, &Value)> = (self.content.metadata.iter())
            .filter(|(key, _)| !key.starts_with("tokenizer."))
            .map(|(key, value)| (key.as_str(), value))
            .collect();
        let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (*name, tensor)).collect();
        let mut memory = Cursor::new(Vec::new());
        gguf_file::write(&mut memory, &metadata, &tensors).context("cannot convert the weights")?;
        memory.set_position(0);
        let content = Content::read(&mut memory).context("cannot read the converted weights")?;
        Ok((Weights::Converted(content, memory), count))
    }
}

/// A list of whole numbers from the header, such as token kinds.
pub(crate) fn numbers(content: &Content, key: &str) -> Result<Vec<i64>> {
    let Some(value) = content.metadata.get(key) else { bail!("the file has no {key}") };
    let number = |value: &Value| match value {
        Value::I32(number) => Ok(i64::from(*number)),
        other => other.to_u64().map(|number| number as i64),
    };
    value.to_vec()?.iter().map(|value| Ok(number(value)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, bytes: &[u8]) -> String {
        let path = std::env::temp_dir().join(format!("smollm2-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        let error = open(&path).err().expect("it should be refused");
        std::fs::remove_file(&path).unwrap();
        format!("{error:#}")
    }

    #[test]
    fn files_that_are_no_model_are_refused_in_plain_words() {
        assert!(refused("empty", b"").contains("is not a GGUF file"));
        assert!(refused("text", b"hello, world").contains("is not a GGUF file"));
        assert!(refused("short", b"GGUF\x03\0\0\0").contains("damaged or cut short"));
        let missing = open(Path::new("/nonexistent/model.gguf")).err().unwrap().to_string();
        assert!(missing.contains("scripts/demo") && missing.contains("--model PATH"), "{missing}");
    }

    #[test]
    fn another_architecture_is_refused_by_name() {
        let mut file = Cursor::new(Vec::new());
        let bert = Value::String("bert".into());
        gguf_file::write(&mut file, &[("general.architecture", &bert)], &[]).unwrap();
        assert!(refused("bert", file.get_ref()).contains("architecture bert"));
    }
}
