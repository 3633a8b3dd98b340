/** Resources of the stack that proofs change for a while, and read. */

import { ask, whileChanged } from "./tool.ts";
import { waitUntil } from "./waiting.ts";

export class LambdaFunction {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  /** Gives the function other environment variables meanwhile. */
  withVariables<Result>(
    variables: Readonly<Record<string, string>>,
    meanwhile: () => Promise<Result>,
  ): Promise<Result> {
    return whileChanged("set-variables", { name: this.name, variables }, meanwhile);
  }

  /** Leaves the function no room to run meanwhile. */
  throttled<Result>(meanwhile: () => Promise<Result>): Promise<Result> {
    return whileChanged("throttle", { name: this.name }, meanwhile);
  }

  /** Restores what is changed meanwhile before that ends. */
  async restore(): Promise<void> {
    await ask("restore-function", { name: this.name });
  }
}

export class Secret {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  /** Gives the secret another value meanwhile. */
  withValue(value: string, meanwhile: () => Promise<void>): Promise<void> {
    return whileChanged("set-secret", { name: this.name, value }, meanwhile);
  }
}

export class Cluster {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  /** Stops the database meanwhile; on AWS that takes minutes, and starting it as well. */
  stopped(meanwhile: () => Promise<void>): Promise<void> {
    return whileChanged("stop-cluster", { name: this.name }, meanwhile);
  }
}

/** A queue that a function consumes. */
export class Queue {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** Lets messages pile up meanwhile. */
  consumerPaused(meanwhile: () => Promise<void>): Promise<void> {
    return whileChanged("pause-consumer", { url: this.url }, meanwhile);
  }

  /** Lets nobody send to the queue meanwhile. */
  closed(meanwhile: () => Promise<void>): Promise<void> {
    return whileChanged("close-queue", { url: this.url }, meanwhile);
  }

  /** Lets SQS give messages up after two receives meanwhile. */
  withFewerReceives(meanwhile: () => Promise<void>): Promise<void> {
    return whileChanged("lower-receives", { url: this.url }, meanwhile);
  }

  /** Sends these messages, in this order; returns their ids. */
  async sendMessages(bodies: string[], { groupId }: { groupId: string }): Promise<string[]> {
    const given = { url: this.url, bodies, group_id: groupId };
    return (await ask("send-messages", given)) as string[];
  }

  /** Returns whether no message waits, and the consumer has finished with all others. */
  async isDrained(): Promise<boolean> {
    const { visible, in_flight } = await messageCounts(this.url);
    return visible + in_flight === 0;
  }
}

export interface Message {
  readonly id: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string | undefined>>;
}

/** Returns the id that a dead letter had in its queue: what a function sends has another. */
export function sourceId({ id, attributes }: Message): string {
  return attributes.source_message_id ?? id;
}

/** The messages of a queue that no function consumes, each known by what `idOf` reads. */
export class KeptMessages {
  readonly url: string;
  /** Why the letters that were taken are there, by their ids. */
  readonly reasons = new Map<string, string>();
  readonly #idOf: (message: Message) => string;

  constructor(queueUrl: string, idOf: (message: Message) => string) {
    this.url = queueUrl;
    this.#idOf = idOf;
  }

  /** Removes all messages; returns their ids. */
  async take(): Promise<Set<string>> {
    const messages = (await ask("take-messages", { url: this.url })) as Message[];
    for (const message of messages) {
      const { reason } = message.attributes;
      if (reason) this.reasons.set(this.#idOf(message), reason);
    }
    return new Set(messages.map(this.#idOf));
  }

  /** Waits until all of these have come; returns the ids of all that was taken meanwhile. */
  async takeUntil(expected: Iterable<string>): Promise<Set<string>> {
    const ids = new Set(expected);
    const taken = new Set<string>();
    await waitUntil(async () => {
      for (const id of await this.take()) taken.add(id);
      return ids.isSubsetOf(taken);
    });
    return taken;
  }

  async messageCount(): Promise<number> {
    return (await messageCounts(this.url)).visible;
  }
}

async function messageCounts(url: string): Promise<{ visible: number; in_flight: number }> {
  return (await ask("message-counts", { url })) as { visible: number; in_flight: number };
}

export type LogEntry = Readonly<Record<string, unknown>> & {
  readonly message: string;
  readonly timestamp: string;
};

/** What a log group has got since the proof began. */
export class LogGroup {
  readonly #part: { group: string; since: number };

  constructor(name: string) {
    this.#part = { group: name, since: Date.now() };
  }

  /** Returns each line as it is. */
  async lines(): Promise<string[]> {
    return (await ask("log-lines", this.#part)) as string[];
  }

  /** Tells whether one line has all these texts. */
  async mentions(...texts: string[]): Promise<boolean> {
    const lines = await this.lines();
    return lines.some((line) => texts.every((text) => line.includes(text)));
  }

  /** Returns what functions have logged themselves, each entry parsed. */
  async jsonLines(): Promise<LogEntry[]> {
    return (await ask("log-entries", this.#part)) as LogEntry[];
  }

  /** Returns how many invocations there were at the same time, when it was most. */
  async mostAtATime(): Promise<number> {
    return (await ask("most-at-a-time", this.#part)) as number;
  }

  /** Returns the values of a metric that were logged with just these dimensions. */
  async metricValues(
    namespace: string,
    name: string,
    dimensions: Readonly<Record<string, string>>,
  ): Promise<number[]> {
    const metric = { namespace, name, dimensions };
    return (await ask("metric-values", { ...this.#part, ...metric })) as number[];
  }
}
