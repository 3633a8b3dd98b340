/** Waiting for conditions, and ids that show whose they are. */

import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";

import { SECONDS_TO_END } from "../stack.ts";

/** The local stack divides every wait by this. */
const TIME_FACTOR = Number(process.env.LOCAL_TIME_FACTOR ?? 1);
/** Three times as long as a failure takes to its end, and some time to start and to log. */
const PATIENCE_SECONDS = 60 + (3 * SECONDS_TO_END) / TIME_FACTOR;

/** Looks again and again, less often the longer it takes. */
export async function waitUntil(
  condition: () => Promise<boolean>,
  seconds = PATIENCE_SECONDS,
): Promise<void> {
  const started = Date.now();
  while (!(await condition())) {
    const waited = Date.now() - started;
    if (waited > seconds * 1000) {
      throw new Error(`condition not met within ${String(seconds)} seconds`);
    }
    await setTimeout(Math.max(50, waited / 10));
  }
}

/** Returns an id that shows whose it is: a smoke test leaves records in a stack in use. */
export function newId(): string {
  return `proof_${randomUUID()}`;
}

export function newIds(count: number): string[] {
  return Array.from({ length: count }, newId);
}
