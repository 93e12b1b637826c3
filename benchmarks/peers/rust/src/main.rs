//! The same contract as a Rust developer would serve it: tonic and ed25519-dalek, keys and statuses in maps.

mod code;
mod statuses;
mod trust;
mod verdict;

use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio_stream::Stream;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

use crate::trust::TrustList;
use crate::v1::recognition_service_server::{RecognitionService, RecognitionServiceServer};
use crate::verdict::Checker;

pub mod v1 {
    tonic::include_proto!("onecode.v1");
}

const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024 + 64 * 1024;

struct Peer(Arc<Checker>);

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl RecognitionService for Peer {
    async fn verify(&self, request: Request<v1::VerifyRequest>) -> Result<Response<v1::VerifyResponse>, Status> {
        let (request, now) = (request.into_inner(), now());
        Ok(Response::new(v1::VerifyResponse {
            verdict: Some(self.0.check(&request.code, &request.host_region, now.as_secs_f64())),
            trust_list_version: self.0.trust.version,
            checked_at: Some(timestamp(now)),
        }))
    }

    async fn batch_verify(
        &self,
        request: Request<v1::BatchVerifyRequest>,
    ) -> Result<Response<v1::BatchVerifyResponse>, Status> {
        let (request, now, checker) = (request.into_inner(), now(), self.0.clone());
        // Tens of milliseconds of work: not on a thread that other calls wait for.
        let checked = tokio::task::spawn_blocking(move || {
            let now_s = now.as_secs_f64();
            request.codes.iter().map(|code| checker.check(code, &request.host_region, now_s)).collect()
        });
        Ok(Response::new(v1::BatchVerifyResponse {
            verdicts: checked.await.map_err(|_| Status::internal("a check failed"))?,
            trust_list_version: self.0.trust.version,
            checked_at: Some(timestamp(now)),
        }))
    }

    type StreamVerifyStream = Answers<v1::StreamVerifyResponse>;

    async fn stream_verify(
        &self,
        _: Request<Streaming<v1::StreamVerifyRequest>>,
    ) -> Result<Response<Self::StreamVerifyStream>, Status> {
        Err(Status::unimplemented("not compared"))
    }

    async fn translate(&self, _: Request<v1::TranslateRequest>) -> Result<Response<v1::TranslateResponse>, Status> {
        Err(Status::unimplemented("not compared"))
    }

    async fn batch_translate(
        &self,
        _: Request<v1::BatchTranslateRequest>,
    ) -> Result<Response<v1::BatchTranslateResponse>, Status> {
        Err(Status::unimplemented("not compared"))
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn timestamp(now: Duration) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: now.as_secs() as i64, nanos: now.subsec_nanos() as i32 }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let named: HashMap<&str, &str> = arguments.chunks_exact(2).map(|two| (two[0].as_str(), two[1].as_str())).collect();
    let option = |name: &str| named.get(name).copied().ok_or(format!("missing: {name}"));
    let checker = Arc::new(Checker {
        trust: TrustList::read(Path::new(option("--data-dir")?))?,
        statuses: statuses::read(Path::new(option("--statuses")?))?,
        skew_s: option("--skew-s")?.parse()?,
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("ready grpc={}", listener.local_addr()?);
    std::io::stdout().flush()?;
    tonic::transport::Server::builder()
        .add_service(RecognitionServiceServer::new(Peer(checker)).max_decoding_message_size(REQUEST_BYTES_MAX))
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await?;
    Ok(())
}
