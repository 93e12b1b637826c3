import assert from "node:assert/strict";
import { test } from "node:test";
import { type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import type { TranslateRequest, TranslateResponse } from "../generated/onecode/v1/recognition.js";
import { expectEnded, failure, partner, serve, verdictOn } from "./scripted_server.js";

type Call = ServerUnaryCall<TranslateRequest, TranslateResponse>;
type Reply = sendUnaryData<TranslateResponse>;

/** Translates a code by putting the target before it; what begins with "no" is not translated. */
function translate({ request }: Call, reply: Reply): void {
  if (request.code.length === 0) {
    reply(failure(status.FAILED_PRECONDITION, "ALREADY_TRANSLATED"));
    return;
  }
  const isRefused = request.code.toString().startsWith("no");
  const code = isRefused ? Buffer.alloc(0) : Buffer.concat([Buffer.from(request.target_region), request.code]);
  reply(null, { verdict: verdictOn(Buffer.from("420000")), code, format: "jwt", expires_at: undefined });
}

const VERDICT = {
  ...{ line: 1, decision: "DECISION_ADMIT", level: "LEVEL_GREEN", reason: "REASON_GREEN" },
  ...{ home_region: "420000", status: "STATUS_NONE" },
};

test("a translated code stands alone on its line, or in an object with the verdict", async (t) => {
  const call = ["translate", "--server", await serve(t, { translate }), "--target", "440000"];
  expectEnded(await partner(...call, "a b"), 0, "440000a b\n");
  const { status: ended, out } = await partner(...call, "--json", "a b");
  assert.equal(ended, 0);
  assert.equal(out, `${JSON.stringify({ code: "440000a b", verdict: VERDICT })}\n`);
});

test("a code that is not translated is answered with its verdict, and is no success", async (t) => {
  const call = ["translate", "--server", await serve(t, { translate }), "--target", "440000"];
  expectEnded(await partner(...call, "no"), 1, "1\tADMIT\tGREEN\tGREEN\t420000\tNONE\n");
  const out = `${JSON.stringify({ code: "", verdict: VERDICT })}\n`;
  expectEnded(await partner(...call, "--json", "no"), 1, out);
});

test("a translation that the API rules out is one line", async (t) => {
  const ended = await partner("translate", "--server", await serve(t, { translate }), "--target", "440000", "");
  const err = "onecode-partner: FAILED_PRECONDITION: as the test says (ALREADY_TRANSLATED)\n";
  expectEnded(ended, 1, "", err);
});
