//! A progress bar in a terminal, plain lines in a pipe.
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// The progress of one run of `length` steps.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    name: String,
    length: u64,
    position: u64,
    /// Lines that a pipe gets.
    lines: u64,
}

impl Progress {
    /// A bar in a terminal; at most `lines` lines in a pipe.
    pub(crate) fn new(name: impl Into<String>, length: u64, lines: u64) -> Progress {
        let name = name.into();
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {msg}")
                .expect("a valid template");
            ProgressBar::new(length).with_style(style).with_prefix(name.clone())
        });
        Progress { bar, name, length, position: 0, lines }
    }

    /// One step done, with what it brought.
    pub(crate) fn step(&mut self, message: impl FnOnce() -> String) {
        self.position += 1;
        match &self.bar {
            Some(bar) => {
                bar.inc(1);
                bar.set_message(message());
            }
            None => {
                let line = |position| position * self.lines / self.length;
                if line(self.position) != line(self.position - 1) {
                    eprintln!("{} {}/{} {}", self.name, self.position, self.length, message());
                }
            }
        }
    }

    /// The end; the last state of the bar stays.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.abandon();
        }
    }
}
