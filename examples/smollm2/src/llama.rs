//! The real model: candle's quantized Llama, one copy per stream.
//!
//! A copy shares the weights (candle holds tensors by reference count) and has a KV cache of its own, which is what
//! makes it a stream.

use anyhow::{Context, Result, anyhow};
use candle_core::{Device, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling};
use candle_transformers::models::quantized_llama::{MAX_SEQ_LEN, ModelWeights};

use crate::cli::Options;
use crate::gguf::{self, Weights};
use crate::stream::{Engine, Stream, Text};
use crate::tokenizer::ChatText;

/// What candle reads to decide how many threads one operation uses.
const CANDLE_THREADS: [&str; 2] = ["CANDLE_NUM_THREADS", "RAYON_NUM_THREADS"];

/// Has candle compute each operation on the thread that asks for it.
///
/// Left alone, it splits every operation over all cores behind one process-wide lock, so that workers would wait for
/// each other within every layer. Candle takes the number from the environment only, and a running program must not
/// change its own: so the program starts itself once more, in the same process, with the variables set. Whoever has set
/// one of them is not overruled.
#[cfg(unix)]
pub(crate) fn one_thread_per_stream() -> Result<()> {
    use std::os::unix::process::CommandExt;
    if CANDLE_THREADS.iter().any(|name| std::env::var_os(name).is_some()) {
        return Ok(());
    }
    let program = std::env::current_exe().context("cannot find the program's own file")?;
    let mut arguments = std::env::args_os();
    let mut again = std::process::Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    let failed = again.args(arguments).envs(CANDLE_THREADS.map(|name| (name, "1"))).exec();
    Err(anyhow!(failed).context("cannot start the program again with candle's threads set"))
}

/// Elsewhere candle's own choice stands.
#[cfg(not(unix))]
pub(crate) fn one_thread_per_stream() -> Result<()> {
    Ok(())
}

/// The text side alone, which needs no weights.
pub(crate) fn text(options: &Options) -> Result<Box<dyn Text>> {
    Ok(Box::new(ChatText::from_gguf(&gguf::open(&options.model)?)?))
}

/// Loads the model.
pub(crate) fn engine(options: &Options) -> Result<Engine> {
    let gguf = gguf::open(&options.model)?;
    let text = ChatText::from_gguf(&gguf)?;
    let context = gguf.number("llama.context_length").unwrap_or(MAX_SEQ_LEN).min(MAX_SEQ_LEN);
    let name = options.model.file_name().unwrap_or_default().to_string_lossy().into_owned();

    let (weights, converted) = match options.weights_as_stored {
        true => (gguf.unconverted(), 0),
        false => gguf.in_quick_form()?,
    };
    let model = match weights {
        Weights::AsStored(content, mut reader) => ModelWeights::from_gguf(content, &mut reader, &Device::Cpu),
        Weights::Converted(content, mut memory) => ModelWeights::from_gguf(content, &mut memory, &Device::Cpu),
    };
    let model = model.context("cannot load the weights; the file may be cut short")?;
    let conversion = match converted {
        0 => String::new(),
        count => format!("\n{count} tensors converted to Q8_0, with which candle computes faster"),
    };
    let stream = |_| -> Box<dyn Stream> {
        Box::new(Llama { model: model.clone(), sampler: sampler(options, 0), sampling: options.clone(), cached: 0 })
    };
    Ok(Engine {
        text: Box::new(text),
        streams: (0..options.streams).map(stream).collect(),
        context,
        description: format!("{name}, context of {context} tokens{conversion}"),
    })
}

struct Llama {
    model: ModelWeights,
    sampler: LogitsProcessor,
    sampling: Options,
    /// Tokens in the KV cache.
    cached: usize,
}

fn sampler(options: &Options, seed: u64) -> LogitsProcessor {
    let sampling = match options.temperature {
        0.0 => Sampling::ArgMax,
        // The likeliest 64 first: sorting the whole vocabulary for top-p alone would cost more than it decides.
        temperature => Sampling::TopKThenTopP { k: 64, p: options.top_p, temperature },
    };
    LogitsProcessor::from_sampling(seed, sampling)
}

impl Llama {
    fn forward(&mut self, tokens: &[u32]) -> Result<u32> {
        let input = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
        let logits = self.model.forward(&input, self.cached)?.squeeze(0)?;
        self.cached += tokens.len();
        Ok(self.sampler.sample(&logits)?)
    }
}

impl Stream for Llama {
    fn prefill(&mut self, prompt: &[u32], seed: u64) -> Result<u32> {
        self.clear();
        self.sampler = sampler(&self.sampling, seed);
        self.forward(prompt)
    }

    fn decode(&mut self, last: u32) -> Result<u32> {
        self.forward(&[last])
    }

    fn cached_tokens(&self) -> usize {
        self.cached
    }

    fn clear(&mut self) {
        self.model.clear_kv_cache();
        self.cached = 0;
    }
}
