import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata, status } from "@grpc/grpc-js";
import { ErrorInfo, RetryInfo } from "../generated/google/rpc/error_details.js";
import { Status } from "../generated/google/rpc/status.js";
import { callFault } from "../src/call_faults.js";
import { CallFault, describe } from "../src/faults.js";

const PLAINTEXT = { tls: false, certificate: false };
const MUTUAL = { tls: true, certificate: true };

function failed(code: number, details: string, content?: Buffer, shown = PLAINTEXT): CallFault {
  const metadata = new Metadata();
  if (content !== undefined) {
    metadata.set("grpc-status-details-bin", content);
  }
  const fault = callFault(Object.assign(new Error(`${code} ${details}`), { code, details, metadata }), shown);
  assert.ok(fault instanceof CallFault);
  return fault;
}

function richStatus(reason: string, seconds: bigint, nanos: number): Buffer {
  const any = (name: string, value: Uint8Array) => ({
    type_url: `type.googleapis.com/google.rpc.${name}`,
    value: Buffer.from(value),
  });
  const info = any("ErrorInfo", ErrorInfo.encode({ reason, domain: "onecode", metadata: {} }).finish());
  const retry = any("RetryInfo", RetryInfo.encode({ retry_delay: { seconds, nanos } }).finish());
  return Buffer.from(Status.encode({ code: 8, message: "", details: [info, retry] }).finish());
}

test("a failed call is one line with its reason and when to ask again", () => {
  const fault = failed(status.RESOURCE_EXHAUSTED, "too\nmany \x1b[31mcalls", richStatus("OVERLOADED", 1n, 500_000_000));
  assert.equal(describe(fault), "RESOURCE_EXHAUSTED: too many  [31mcalls (OVERLOADED), retry in 1.5 s");
  assert.ok(fault.mayPass);
});

test("only what passes by itself is asked again", () => {
  assert.ok(failed(status.UNAVAILABLE, "gone").mayPass);
  assert.ok(failed(status.CANCELLED, "draining").mayPass);
  for (const code of [status.RESOURCE_EXHAUSTED, status.INTERNAL, status.PERMISSION_DENIED, status.INVALID_ARGUMENT]) {
    assert.ok(!failed(code, "no").mayPass);
  }
});

test("details that cannot be decoded leave the status as it is", () => {
  assert.equal(describe(failed(status.INTERNAL, "broken", Buffer.from([0xff]))), "INTERNAL: broken");
});

test("an error of TLS says what the two sides do not agree on", () => {
  const last = (why: string) => `No connection established. Last error: ${why}. Resolution note: `;
  const fault = failed(status.UNAVAILABLE, last("Error: certificate has expired"), undefined, MUTUAL);
  assert.equal(fault.reason, "SERVER_NOT_TRUSTED");
  assert.ok(!fault.mayPass);
  const refused =
    "80FC:error:0A00041B:SSL routines:ssl3_read_bytes:tlsv1 alert decrypt error:../x.c:1601:SSL alert number 51";
  assert.equal(failed(status.UNAVAILABLE, last(refused), undefined, MUTUAL).reason, "CERTIFICATE_REFUSED");
  const anonymous = { tls: true, certificate: false };
  assert.equal(failed(status.UNAVAILABLE, last(refused), undefined, anonymous).reason, "CERTIFICATE_WANTED");
  const plain = failed(status.UNAVAILABLE, last("connect ECONNREFUSED 127.0.0.1:9"));
  assert.equal(describe(plain), "UNAVAILABLE: no connection: connect ECONNREFUSED 127.0.0.1:9");
});

test("an error that is no call's is left as it is", () => {
  const error = new RangeError("mistake");
  assert.equal(callFault(error, PLAINTEXT), error);
  assert.equal(describe(error), "mistake");
});
