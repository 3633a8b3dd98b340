/** `sls-patterns harness`, which changes, reads and restores the stack for the proofs. */

/** Only a function on this machine reaches a server that a proof starts. */
export const LOCAL = process.env.AWS_ENDPOINT_URL !== undefined;

/** Asks for an operation; returns what is answered. */
export async function ask(
  operation: string,
  given: Record<string, unknown> = {},
): Promise<unknown> {
  const response = await fetch(`${process.env.HARNESS_URL ?? ""}${operation}`, {
    method: "POST",
    body: JSON.stringify(given),
  });
  const answer: unknown = await response.json();
  if (!response.ok) throw new Error(String(answer));
  return answer;
}

/** Changes a resource meanwhile. */
export async function whileChanged<Result>(
  operation: string,
  given: Record<string, unknown>,
  meanwhile: () => Promise<Result>,
): Promise<Result> {
  const change = await ask(operation, given);
  try {
    return await meanwhile();
  } finally {
    await ask("restore", { change });
  }
}
