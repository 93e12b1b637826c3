import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { Writable } from "node:stream";
import { test } from "node:test";
import { type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import type { BatchVerifyRequest, BatchVerifyResponse } from "../generated/onecode/v1/recognition.js";
import { run } from "../src/command.js";
import { expectEnded, failure, fileOf, partner, serve, shown, verdictOn } from "./scripted_server.js";

type Call = ServerUnaryCall<BatchVerifyRequest, BatchVerifyResponse>;
type Reply = sendUnaryData<BatchVerifyResponse>;

const CODES = Array.from({ length: 5000 }, (_, index) => (index % 10 === 0 ? "" : `code ${index}`));

function answer({ request }: Call, reply: Reply): void {
  reply(null, { verdicts: request.codes.map(verdictOn), trust_list_version: 1n, checked_at: undefined });
}

test("a file is checked in batches that a call takes, and each code has its verdict", async (t) => {
  const sizes: number[] = [];
  const server = await serve(t, {
    batchVerify: (call: Call, reply: Reply) => {
      sizes.push(call.request.codes.length);
      answer(call, reply);
    },
  });
  const ended = await partner("verify", "--server", server, "--host", "420000", fileOf(t, CODES.join("\n")));
  expectEnded(ended, 0, shown(CODES));
  assert.deepEqual(sizes, [4096, 904]);
});

test("an empty file is answered without a call", async (t) => {
  const server = await serve(t, {});
  const ended = await partner("verify", "--server", server, "--host", "420000", fileOf(t, ""));
  expectEnded(ended, 0, "");
});

test("a batch is repeated for longer than gRPC does, and waits as long as the server says", async (t) => {
  let calls = 0;
  const server = await serve(t, {
    batchVerify: (call: Call, reply: Reply) => {
      calls += 1;
      if (calls <= 6) {
        reply(failure(status.UNAVAILABLE, "DRAINING"));
      } else if (calls === 7) {
        reply(failure(status.RESOURCE_EXHAUSTED, "OVERLOADED", 20));
      } else {
        answer(call, reply);
      }
    },
  });
  const ended = await partner("verify", "--server", server, "--host", "420000", "--timeout", "60", fileOf(t, "a\n"));
  expectEnded(ended, 0, shown(["a"]));
  assert.equal(calls, 8);
});

test("a server that wants more time than there is ends the program at once", async (t) => {
  const server = await serve(t, {
    batchVerify: (_: Call, reply: Reply) => reply(failure(status.RESOURCE_EXHAUSTED, "OVERLOADED", 3_600_000)),
  });
  const ended = await partner("verify", "--server", server, "--host", "420000", fileOf(t, "a\n"));
  const err = "onecode-partner: RESOURCE_EXHAUSTED: as the test says (OVERLOADED), retry in 3600 s\n";
  expectEnded(ended, 1, "", err);
});

test("a batch with a verdict too few is not shown, and the one before it is", async (t) => {
  const server = await serve(t, {
    batchVerify: (call: Call, reply: Reply) => {
      const codes = call.request.codes.length === 4096 ? call.request.codes : call.request.codes.slice(1);
      reply(null, { verdicts: codes.map(verdictOn), trust_list_version: 1n, checked_at: undefined });
    },
  });
  const ended = await partner("verify", "--server", server, "--host", "420000", fileOf(t, CODES.join("\n")));
  const err = "onecode-partner: INTERNAL: the server did not answer each code with one verdict\n";
  expectEnded(ended, 1, shown(CODES.slice(0, 4096)), err);
});

test("a server that is away is one line", async (t) => {
  const args = ["--server", "127.0.0.1:1", "--host", "420000", "--timeout", "3", fileOf(t, "a\n")];
  for (const command of ["verify", "scan"]) {
    const ended = await partner(command, ...args);
    assert.deepEqual([ended.status, ended.out], [1, ""]);
    assert.match(ended.err, /^onecode-partner: UNAVAILABLE: no connection: [^\n]*127\.0\.0\.1:1\n$/);
  }
});

test("the token is read for each call, and the last one is sent where there is none", async (t) => {
  const token = fileOf(t, "first\n");
  const sent: unknown[] = [];
  const server = await serve(t, {
    batchVerify: (call: Call, reply: Reply) => {
      sent.push(call.metadata.get("authorization")[0]);
      writeFileSync(token, sent.length === 1 ? "second" : "not one token");
      if (sent.length < 3) {
        reply(failure(status.RESOURCE_EXHAUSTED, "OVERLOADED", 1));
      } else {
        answer(call, reply);
      }
    },
  });
  const args = ["--server", server, "--host", "420000", "--token-file", token, fileOf(t, "a\n")];
  assert.equal((await partner("verify", ...args)).status, 0);
  assert.deepEqual(sent, ["Bearer first", "Bearer second", "Bearer second"]);
});

test("files that cannot be used are one line, before any call", async (t) => {
  const codes = fileOf(t, "a\n");
  const call = ["verify", "--server", "127.0.0.1:1", "--host", "420000"];
  for (const [args, message] of [
    [[`${codes}.none`], /: cannot read \S+: no such file or directory\n$/],
    [["/"], /: cannot read \/: .*directory\n$/],
    [["--token-file", "/", codes], /: \/ is no regular file\n$/],
    [["--token-file", fileOf(t, "two words"), codes], /does not hold one token\n$/],
    [["--tls-ca", codes, codes], /has no certificates in PEM\n$/],
    [
      ["--tls-ca", fileOf(t, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), codes],
      /cannot be read\n$/,
    ],
    [["--tls-cert", codes, "--tls-key", codes, codes], /are no certificate and its key/],
  ] as const) {
    const ended = await partner(...call, ...args);
    assert.deepEqual([ended.status, ended.out], [2, ""]);
    assert.match(ended.err, /^onecode-partner: [^\n]*\n$/);
    assert.match(ended.err, message);
  }
});

test("answers that cannot be written end the program", async (t) => {
  const server = await serve(t, { batchVerify: answer });
  const full = new Writable({ write: (_piece, _encoding, done) => done(Object.assign(new Error(), { errno: -28 })) });
  let err = "";
  const stderr = new Writable({
    write: (piece, _encoding, done) => {
      err += piece;
      done();
    },
  });
  const args = ["verify", "--server", server, "--host", "420000", fileOf(t, "a\n")];
  assert.equal(await run(args, {}, full, stderr), 1);
  assert.equal(err, "onecode-partner: cannot write the answers: no space left on device\n");
});
