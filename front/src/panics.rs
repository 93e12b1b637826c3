//! Makes a panic the end of the process: one line that names the place, then abort.
//!
//! A panic is a bug here, after which no call can be trusted. PyO3 would turn it into an exception, which asyncio logs
//! while the worker serves on. The supervisor starts another worker instead.

use std::io::Write;
use std::panic;

/// Have every panic of this extension end the process. Other extensions have hooks of their own.
pub fn end_the_process() {
    panic::set_hook(Box::new(|what| {
        let text = what.payload_as_str().unwrap_or("a panic without a text");
        let place = what.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        // Nothing else can be done where stderr is closed.
        let _ = writeln!(std::io::stderr(), "native front: panic at {place}: {}", text.replace('\n', " "));
        std::process::abort();
    }));
}
