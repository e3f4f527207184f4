//! What the API and its workers tell each other: lines of text, over the worker's standard input and output.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error, Result, bail};
use tach::serve::Finish;

use crate::account;
use crate::ledger::{Ledger, REASONS};

/// To a worker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Generate an answer of at most so many tokens, in a stream that is free.
    Run { id: u64, limit: usize, prompt: Vec<u32> },
    /// Leave everything and tell the account; the end of the input is the end.
    Stop,
}

/// From a worker.
#[derive(Debug)]
pub(crate) enum Report {
    /// The model is loaded, each stream holds so many tokens.
    Ready { context: usize },
    /// A step brought tokens, and its account is the one that is recorded next.
    Step { tokens: Vec<Token>, account: Ledger },
    /// The model failed, and the worker ends.
    Failed(String),
    /// It has stopped: all of its account is recorded.
    Done(Ledger),
}

/// A token of a request, and why it was the last one, if it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) id: u64,
    pub(crate) token: u32,
    pub(crate) reason: Option<Finish>,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run { id, limit, prompt } => {
                write!(f, "run {id} {limit}")?;
                prompt.iter().try_for_each(|token| write!(f, " {token}"))
            }
            Self::Stop => f.write_str("stop"),
        }
    }
}

impl FromStr for Order {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self> {
        let mut words = line.split(' ');
        Ok(match words.next() {
            Some("run") => {
                let mut next = || words.next().context("an order that is cut short");
                let (id, limit) = (next()?.parse()?, next()?.parse()?);
                Self::Run { id, limit, prompt: words.map(str::parse).collect::<Result<_, _>>()? }
            }
            Some("stop") if words.next().is_none() => Self::Stop,
            _ => bail!("not an order: {line:?}"),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready { context } => write!(f, "ready {context}"),
            Self::Step { tokens, account } => {
                f.write_str("step")?;
                for Token { id, token, reason } in tokens {
                    write!(f, " {id}:{token}:{}", reason.map_or("", |reason| REASONS[reason as usize].1))?;
                }
                write!(f, " | {}", account::line(account))
            }
            Self::Failed(why) => write!(f, "failed {}", why.replace('\n', " ")),
            Self::Done(account) => write!(f, "done {}", account::line(account)),
        }
    }
}

impl FromStr for Report {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self> {
        let (kind, rest) = line.split_once(' ').with_context(|| format!("not a report: {line:?}"))?;
        Ok(match kind {
            "ready" => Self::Ready { context: rest.parse()? },
            "step" => {
                let (tokens, account) = rest.split_once('|').context("a step without an account")?;
                let tokens = tokens.split_ascii_whitespace().map(str::parse).collect::<Result<_>>()?;
                Self::Step { tokens, account: account::parse(account)? }
            }
            "failed" => Self::Failed(rest.to_owned()),
            "done" => Self::Done(account::parse(rest)?),
            _ => bail!("not a report: {line:?}"),
        })
    }
}

impl FromStr for Token {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split(':');
        let mut next = || parts.next().with_context(|| format!("not a token: {text:?}"));
        let (id, token, reason) = (next()?.parse()?, next()?.parse()?, next()?);
        let known = REASONS.iter().find(|(_, label)| *label == reason).map(|(reason, _)| *reason);
        if known.is_none() && !reason.is_empty() {
            bail!("not a reason for an end: {reason:?}");
        }
        Ok(Self { id, token, reason: known })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_comes_back() {
        for order in [Order::Run { id: 7, limit: 64, prompt: vec![1, 49_151] }, Order::Stop] {
            assert_eq!(order.to_string().parse::<Order>().unwrap(), order);
        }
        let tokens =
            vec![Token { id: 7, token: 3, reason: None }, Token { id: 8, token: 0, reason: Some(Finish::Stop) }];
        let account = Ledger { generated: 5, ..Ledger::default() };
        let reports = [
            Report::Ready { context: 2048 },
            Report::Step { tokens, account: account.clone() },
            Report::Step { tokens: Vec::new(), account: account.clone() },
            Report::Failed("out of\nluck".to_owned()),
            Report::Done(account),
        ];
        for report in reports {
            let line = report.to_string();
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(line.parse::<Report>().unwrap().to_string(), line);
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for bad in ["", "run", "run 1", "run 1 x", "stop it now", "halt"] {
            assert!(bad.parse::<Order>().is_err(), "{bad}");
        }
        for bad in ["", "ready", "ready x", "step 1:2: 3", "step 1:2 | 1", "step 1:2:late | 1", "done 1", "over 1"] {
            assert!(bad.parse::<Report>().is_err(), "{bad}");
        }
    }
}
