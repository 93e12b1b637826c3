import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import type { StreamVerifyRequest, StreamVerifyResponse } from "../generated/onecode/v1/recognition.js";
import { type Ended, expectEnded, failure, fileOf, partner, serve, shown, verdictOn } from "./scripted_server.js";

type Call = ServerDuplexStream<StreamVerifyRequest, StreamVerifyResponse>;

const CODES = Array.from({ length: 3000 }, (_, index) => `code ${index}`);

function answerTo({ request_id, code }: StreamVerifyRequest): StreamVerifyResponse {
  return { request_id, verdict: verdictOn(code), trust_list_version: 1n, checked_at: undefined };
}

async function scan(t: TestContext, codes: readonly string[], streamVerify: (call: Call) => void): Promise<Ended> {
  const server = await serve(t, { streamVerify });
  const file = fileOf(t, codes.map((code) => `${code}\n`).join(""));
  return partner("scan", "--server", server, "--host", "420000", "--timeout", "5", file);
}

test("answers are shown in the order of the file, whatever the order in which they come", async (t) => {
  const ended = await scan(t, CODES, (call) => {
    let held: StreamVerifyRequest[] = [];
    const release = () => {
      for (const request of held.reverse()) {
        call.write(answerTo(request));
      }
      held = [];
    };
    call.on("data", (request) => {
      if (held.push(request) === 100) {
        release();
      }
    });
    call.on("end", () => {
      release();
      call.end();
    });
  });
  expectEnded(ended, 0, shown(CODES));
});

for (const [how, breakOff] of [
  ["with UNAVAILABLE", (call: Call) => call.emit("error", failure(status.UNAVAILABLE, "DRAINING"))],
  ["with OK, as a server that drains", (call: Call) => call.end()],
] as const) {
  test(`a stream that ends early ${how} is resumed, and what was answered is not asked again`, async (t) => {
    const answered = new Map<bigint, number>();
    let streams = 0;
    const ended = await scan(t, CODES, (call) => {
      streams += 1;
      let left = streams < 5 ? 100 : CODES.length;
      call.on("data", (request) => {
        // Every third is left for the next stream, so that there are gaps among what was answered.
        if (left > 0 && (request.request_id % 3n !== 0n || streams === 5)) {
          left -= 1;
          answered.set(request.request_id, (answered.get(request.request_id) ?? 0) + 1);
          call.write(answerTo(request));
          if (left === 0) {
            breakOff(call);
          }
        }
      });
      call.on("end", () => call.end());
    });
    expectEnded(ended, 0, shown(CODES));
    assert.ok(streams >= 5);
    assert.deepEqual(
      [...answered.values()].filter((times) => times > 1),
      [],
    );
  });
}

test("the answers before a failure are shown, and the failure is one line", async (t) => {
  const ended = await scan(t, CODES, (call) => {
    let count = 0;
    call.on("data", (request) => {
      count += 1;
      if (count <= 700) {
        call.write(answerTo(request));
      } else if (count === 701) {
        call.emit("error", failure(status.PERMISSION_DENIED, "NOT_PERMITTED"));
      }
    });
  });
  const err = "onecode-partner: PERMISSION_DENIED: as the test says (NOT_PERMITTED)\n";
  expectEnded(ended, 1, shown(CODES.slice(0, 700)), err);
});

test("a second answer to a code, an answer to none and one without a verdict are failures of the server", async (t) => {
  const wrong: ((request: StreamVerifyRequest) => StreamVerifyResponse)[] = [
    (request) => ({ ...answerTo(request), request_id: 1n }),
    (request) => ({ ...answerTo(request), request_id: 99_999n }),
    (request) => ({ ...answerTo(request), verdict: undefined }),
  ];
  for (const change of wrong) {
    const ended = await scan(t, CODES, (call) => {
      call.on("data", (request) => call.write(request.request_id === 3n ? change(request) : answerTo(request)));
    });
    const err = "onecode-partner: INTERNAL: the server did not answer each code with one verdict\n";
    expectEnded(ended, 1, shown(CODES.slice(0, 2)), err);
  }
});

test("a server that does not answer any more is given up after the timeout", async (t) => {
  const server = await serve(t, {
    streamVerify: (call: Call) => {
      call.on("data", (request) => request.request_id <= 5n && call.write(answerTo(request)));
    },
  });
  const file = fileOf(t, CODES.join("\n"));
  const ended = await partner("scan", "--server", server, "--host", "420000", "--timeout", "0.3", file);
  const err = "onecode-partner: DEADLINE_EXCEEDED: no answer came within the timeout\n";
  expectEnded(ended, 1, shown(CODES.slice(0, 5)), err);
});

test("the lines before one that is too long are answered", async (t) => {
  const codes = ["a", "", "b", "x".repeat(4 * 1024 * 1024 + 1), "c"];
  const ended = await scan(t, codes, (call) => {
    call.on("data", (request) => call.write(answerTo(request)));
    call.on("end", () => call.end());
  });
  assert.equal(ended.status, 2);
  assert.equal(ended.out, shown(codes.slice(0, 3)));
  assert.match(ended.err, /^onecode-partner: \S+, line 4: longer than 4194304 bytes\n$/);
});
