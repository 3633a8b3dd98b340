/**
 * Before the proofs: starts `sls-patterns harness`, which refuses a stack that may be in use, and
 * restores what a proof has changed even if the proofs are killed.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline/promises";

import type { TestProject } from "vitest/node";
import * as z from "zod";

import { STACK_NAME } from "../stack.ts";

const Told = z.union([z.object({ url: z.string() }), z.object({ refused: z.string() })]);

export default async function setup({ vitest }: TestProject): Promise<() => void> {
  // Only smoke tests are safe on a stack that may be in use.
  const smoke = vitest.config.tagsFilter?.join() === "smoke" ? ["--smoke"] : [];
  const tool = spawn("sls-patterns", ["harness", "--stack", STACK_NAME, ...smoke], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  tool.on("error", () => refuse("proofs need sls-patterns; README.md says how to install it"));
  const [line] = (await once(createInterface(tool.stdout), "line")) as [string];
  const told = Told.parse(JSON.parse(line));
  if ("refused" in told) refuse(told.refused);
  process.env.HARNESS_URL = told.url;
  return () => {
    tool.stdin.end();
  };
}

function refuse(reason: string): never {
  console.error(reason);
  process.exit(2);
}
