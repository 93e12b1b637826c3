import assert from "node:assert/strict";
import { test } from "node:test";
import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import {
  type PublishStatusesRequest,
  type PublishStatusesResponse,
  RejectionReason,
} from "../generated/onecode/v1/status.js";
import { expectEnded, failure, fileOf, partner, serve } from "./scripted_server.js";

type Call = ServerDuplexStream<PublishStatusesRequest, PublishStatusesResponse>;

function record(id: number): string {
  const subject = { local: { region: "420000", id: `p${id}` } };
  const times = { effective_at: "2025-01-01T08:00:00Z", revision: 1 };
  return JSON.stringify({ publisher: "420000", subject, level: "RED", scope: "NATIONAL", ...times });
}

function rejection(sequence: bigint, reason: RejectionReason) {
  return { sequence, reason, message: "as the test says" };
}

/** Acknowledges every hundredth record, and the last one. */
function acknowledge(call: Call, received: bigint[]): void {
  call.on("data", ({ sequence }) => {
    received.push(sequence);
    if (received.length % 100 === 0) {
      call.write({ durable_through: sequence, rejections: [] });
    }
  });
  call.on("end", () => {
    call.write({ durable_through: received.at(-1) ?? 0n, rejections: [] });
    call.end();
  });
}

test("a publication continues after the last record that is durable, and counts each once", async (t) => {
  const streams: bigint[][] = [];
  const server = await serve(t, {
    publishStatuses: (call: Call) => {
      const received: bigint[] = [];
      streams.push(received);
      acknowledge(call, received);
      if (streams.length === 1) {
        call.on("data", () => received.length === 2050 && call.emit("error", failure(status.UNAVAILABLE, "DRAINING")));
      }
    },
  });
  const file = fileOf(t, Array.from({ length: 12_000 }, (_, id) => `${record(id)}\n`).join(""));
  const ended = await partner("publish", "--server", server, "--timeout", "60", file);
  expectEnded(ended, 0, "taken 12000, superseded 0, conflict 0, rejected 0\n");
  const first = Number(streams[1]?.[0]);
  // What the first stream acknowledged may have been on its way when it broke.
  assert.ok(first % 100 === 1 && first <= 2001);
  assert.deepEqual(
    streams[1],
    Array.from({ length: 12_000 - first + 1 }, (_, index) => BigInt(first + index)),
  );
});

test("rejections name the line, blank lines counted, and are no failure", async (t) => {
  const server = await serve(t, {
    publishStatuses: (call: Call) => {
      call.on("data", () => {});
      call.on("end", () => {
        call.write({
          durable_through: 7n,
          rejections: [
            rejection(1n, RejectionReason.REJECTION_REASON_SUPERSEDED),
            rejection(3n, RejectionReason.REJECTION_REASON_REVISION_CONFLICT),
            rejection(7n, RejectionReason.REJECTION_REASON_NOT_THE_HOME),
          ],
        });
        call.end();
      });
    },
  });
  const file = fileOf(t, `\ufeff${record(1)}\n\n${record(2)}\r\n \t\n${record(3)}\n\n${record(4)}`);
  const ended = await partner("publish", "--server", server, file);
  const out = [
    "1\tREJECTED\tSUPERSEDED\n3\tREJECTED\tREVISION_CONFLICT\n7\tREJECTED\tNOT_THE_HOME\n",
    "taken 1, superseded 1, conflict 1, rejected 1\n",
  ].join("");
  expectEnded(ended, 0, out);
});

test("a mistake in a file publishes nothing", async (t) => {
  let calls = 0;
  const server = await serve(t, { publishStatuses: () => (calls += 1) });
  for (const [line, message] of [
    ["{}", /line 3: not a StatusRecord \(publisher is not text\)/],
    ["\ufeff{}", /line 3: not a StatusRecord \(it is not JSON/],
    [`${" ".repeat(64 * 1024)} `, /line 3: longer than 65536 bytes/],
  ] as const) {
    const ended = await partner("publish", "--server", server, fileOf(t, `${record(1)}\n\n${line}\n`));
    assert.deepEqual([ended.status, ended.out], [2, ""]);
    assert.match(ended.err, message);
  }
  assert.equal(calls, 0);
});

test("a rejection of a record that waits for no answer is a failure of the server", async (t) => {
  const server = await serve(t, {
    publishStatuses: (call: Call) => {
      call.on("data", () => {
        call.write({ durable_through: 1n, rejections: [rejection(9n, RejectionReason.REJECTION_REASON_SUPERSEDED)] });
      });
    },
  });
  const ended = await partner("publish", "--server", server, fileOf(t, record(1)));
  assert.deepEqual([ended.status, ended.out], [1, "taken 0, superseded 0, conflict 0, rejected 0\n"]);
  assert.match(ended.err, /^onecode-partner: INTERNAL: [^\n]*\n$/);
});
