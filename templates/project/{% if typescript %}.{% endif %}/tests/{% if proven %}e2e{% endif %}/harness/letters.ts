/** What operators do about dead letters, by `sls-patterns letters`. */

import { expect } from "vitest";

import { ask } from "./tool.ts";

export interface DeadLetter {
  queue: string;
  what: unknown;
  why: string;
}

/** Returns what `make dead-letters` lists, one by one. */
export async function listedDeadLetters(): Promise<DeadLetter[]> {
  return (await ask("dead-letters")) as DeadLetter[];
}

/** Returns the first that `make dead-letters` lists whose content has this text. */
export async function deadLetterOf(text: string): Promise<DeadLetter | undefined> {
  const letters = await listedDeadLetters();
  return letters.find(({ what }) => JSON.stringify(what).includes(text));
}

/** Does what `make redrive` does; nothing may stay, but executions that nobody names. */
export async function redriveAll(...executions: string[]): Promise<void> {
  const redriven = await redrive(executions);
  expect(redriven.done, JSON.stringify(redriven)).toBe(true);
}

/** Does what `make redrive` does; returns why letters stay where they are. */
export async function redriveInVain(): Promise<string[]> {
  return (await redrive([])).reasons;
}

async function redrive(executions: string[]): Promise<{ done: boolean; reasons: string[] }> {
  return (await ask("redrive", { executions })) as { done: boolean; reasons: string[] };
}
