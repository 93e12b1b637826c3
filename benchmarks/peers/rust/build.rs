//! Generates the messages and the service from the project's own protos. PROTOC names the compiler.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../protos");
    let contract = protos.join("onecode/v1/recognition.proto");
    println!("cargo:rerun-if-changed={}", protos.display());
    // Codes stay where they were received: no copy for each.
    tonic_prost_build::configure()
        .build_client(false)
        .bytes(".")
        .compile_protos(&[contract], &[protos])
}
