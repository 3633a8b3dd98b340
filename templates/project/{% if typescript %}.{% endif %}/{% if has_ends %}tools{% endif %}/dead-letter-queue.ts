/**
 * A dead-letter queue: lists its messages, and sends them back to where they failed.
 *
 * A message is deleted after it was sent. So an interruption loses none, and the next redrive sends
 * again what was on its way.
 */

import { parseArgs } from "node:util";

import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
  SQSServiceException,
} from "@aws-sdk/client-sqs";
import * as z from "zod";

export type { Message };

export interface DeadLetter {
  queue: string;
  /** Where it failed. */
  failed: string;
  when: string;
  /** How often it was received, also to list it. */
  received: number;
  what: unknown;
  why?: string | undefined;
  /** The command that shows why, where nothing else records it. */
  logs?: string;
}

/** What failed, if it is not the content of the message, and why. */
export type Description = Partial<Pick<DeadLetter, "what" | "why" | "logs">>;

/** What SQS counted in a queue, a minute late at most, and what became of it. */
export interface Report {
  queue: string;
  visible: number;
  inFlight: number;
  delayed: number;
  heldUntil: string;
  seen: number;
  sent: number;
  /** Why messages were not sent back or failed again, one reason for each. */
  stays: string[];
  /** Why messages are left that a redrive does not send, one reason for each. */
  left: string[];
}

export interface Outputs {
  get(key: string): string;
}

/** What was sent back has failed once more. */
export class FailedAgainError extends Error {}

/** A redrive does not send this message, or only if it is asked to. */
export class SkippedError extends Error {}

const sqs = new SQSClient();

export abstract class DeadLetterQueue {
  protected readonly outputs: Outputs;
  protected readonly failed: string;
  /** Where messages go back to. */
  protected readonly target: string;
  /**
   * Seconds for which nobody else receives what is listed or sent back, also after a run that was
   * killed.
   */
  protected readonly visibilityTimeout: number = 120;
  readonly #name: string;
  readonly #queue: { QueueUrl: string };

  constructor(outputs: Outputs, name: string, failed: string, target?: string) {
    this.outputs = outputs;
    this.failed = failed;
    this.target = target ? outputs.get(target) : "";
    this.#name = name;
    this.#queue = { QueueUrl: outputs.get(`${name}Url`) };
  }

  protected abstract describe(message: Message): Description | Promise<Description>;

  protected abstract sendBack(message: Message): Promise<void>;

  /** Returns what is in the queue, and leaves it there. */
  async letters(): Promise<[DeadLetter[], Report]> {
    const report = await this.report();
    const messages = await this.receiveAll();
    try {
      const letters = await Promise.all(messages.map((message) => this.#letter(message)));
      return [letters, { ...report, seen: messages.length }];
    } finally {
      await this.release(messages);
    }
  }

  /** Sends back what was in the queue before, and deletes it. */
  async redrive(): Promise<Report> {
    const started = Date.now();
    const report = await this.report();
    const held = new Map<string, Message>();
    const sent = new Set<string>();
    try {
      for (;;) {
        const received = await this.#receive();
        if (received.length === 0) break;
        // What came later may be what failed again.
        const fresh = received.filter(
          ({ MessageId = "", Attributes }) =>
            !held.has(MessageId) &&
            !sent.has(MessageId) &&
            Number(Attributes?.SentTimestamp) <= started,
        );
        for (const message of received) {
          // SQS may deliver it once more if it was hidden for too short a time.
          if (sent.has(message.MessageId ?? "")) await this.delete(message);
          else held.set(message.MessageId ?? "", message);
        }
        await this.begin?.(fresh);
        for (const message of fresh) {
          try {
            await this.sendBack(message);
          } catch (error) {
            (error instanceof SkippedError ? report.left : report.stays).push(reason(error));
            continue;
          }
          held.delete(message.MessageId ?? "");
          sent.add(message.MessageId ?? "");
          await this.delete(message);
        }
      }
    } finally {
      await this.release(held.values());
    }
    report.sent = sent.size;
    report.seen = sent.size + report.stays.length + report.left.length;
    return report;
  }

  /** Starts what takes time, so that all of it runs while the first is waited for. */
  protected begin?(messages: Message[]): Promise<void>;

  protected async report(): Promise<Report> {
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({
        ...this.#queue,
        AttributeNames: [
          "ApproximateNumberOfMessages",
          "ApproximateNumberOfMessagesNotVisible",
          "ApproximateNumberOfMessagesDelayed",
        ],
      }),
    );
    const until = new Date(Date.now() + this.visibilityTimeout * 1000);
    return {
      queue: this.#name,
      visible: Number(Attributes?.ApproximateNumberOfMessages),
      inFlight: Number(Attributes?.ApproximateNumberOfMessagesNotVisible),
      delayed: Number(Attributes?.ApproximateNumberOfMessagesDelayed),
      heldUntil: until.toISOString().slice(11, 19),
      seen: 0,
      sent: 0,
      stays: [],
      left: [],
    };
  }

  protected async receiveAll(): Promise<Message[]> {
    const found = new Map<string, Message>();
    for (;;) {
      const before = found.size;
      for (const message of await this.#receive()) found.set(message.MessageId ?? "", message);
      if (found.size === before) return [...found.values()];
    }
  }

  async #receive(): Promise<Message[]> {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        ...this.#queue,
        MaxNumberOfMessages: 10,
        VisibilityTimeout: this.visibilityTimeout,
        WaitTimeSeconds: 1,
        MessageAttributeNames: ["All"],
        MessageSystemAttributeNames: ["All"],
      }),
    );
    return Messages;
  }

  protected async release(messages: Iterable<Message>): Promise<void> {
    for (const { ReceiptHandle } of messages) {
      const visible = { ...this.#queue, ReceiptHandle, VisibilityTimeout: 0 };
      try {
        await sqs.send(new ChangeMessageVisibilityCommand(visible));
      } catch (error) {
        // A message whose time is over is visible already, and SQS refuses the call.
        if (!(error instanceof SQSServiceException)) throw error;
      }
    }
  }

  protected async delete({ ReceiptHandle }: Message): Promise<void> {
    try {
      await sqs.send(new DeleteMessageCommand({ ...this.#queue, ReceiptHandle }));
    } catch (error) {
      // If its time is over, it is received again, and deleted then.
      if (!String(error).includes("expired")) throw error;
    }
  }

  async #letter(message: Message): Promise<DeadLetter> {
    const letter = {
      queue: this.#name,
      failed: this.failed,
      when: new Date(Number(message.Attributes?.SentTimestamp)).toISOString(),
      received: Number(message.Attributes?.ApproximateReceiveCount),
      what: decoded(message.Body),
    };
    try {
      return { ...letter, ...(await this.describe(message)) };
    } catch (error) {
      return { ...letter, why: reason(error) };
    }
  }
}

/** The value of a text that is JSON, or else the text. */
export function decoded(text = ""): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export function reason(error: unknown): string {
  if (error instanceof FailedAgainError || error instanceof SkippedError) return error.message;
  return error instanceof z.ZodError ? `cannot be read: ${z.prettifyError(error)}` : String(error);
}

/** Does what the command line says. */
export async function main(stack: string, queues: () => Promise<DeadLetterQueue[]>): Promise<void> {
  try {
    const { values, positionals } = parseArgs({
      options: { json: { type: "boolean", default: false } },
      allowPositionals: true,
    });
    const action = positionals.join(" ");
    if (action !== "list" && action !== "redrive") {
      throw new TypeError("usage: dead-letters.ts list|redrive [--json]");
    }
    const show = action === "list" ? showLetters : showRedriven;
    process.exitCode = (await show(await queues(), values.json)) ? 1 : 0;
  } catch (error) {
    console.error(`${stack}: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = error instanceof TypeError ? 2 : 1;
  }
}

/** Prints the dead letters; returns whether another run holds some. */
async function showLetters(queues: DeadLetterQueue[], asJson: boolean): Promise<boolean> {
  const letters: DeadLetter[] = [];
  const reports: Report[] = [];
  for (const queue of queues) {
    const [found, report] = await queue.letters();
    letters.push(...found);
    reports.push(report);
  }
  if (asJson) {
    console.log(JSON.stringify(letters, null, 2));
    for (const report of reports.filter(unseen)) console.error(described(report));
  } else {
    for (const letter of letters) {
      console.log(`${letter.queue}: ${letter.when}, failed at ${letter.failed}`);
      console.log(`  received: ${String(letter.received)} times`);
      console.log(`  what:     ${JSON.stringify(letter.what)}`);
      for (const why of [letter.why, letter.logs]) {
        if (why) console.log(`  why:      ${why}`);
      }
    }
    const there = reports.filter((report) => report.seen || unseen(report)).map(described);
    console.log(there.join("\n") || "no dead letters");
  }
  return reports.some(held);
}

/** Sends the dead letters back; returns whether some stay that were to be sent. */
async function showRedriven(queues: DeadLetterQueue[], asJson: boolean): Promise<boolean> {
  const reports: Report[] = [];
  for (const queue of queues) reports.push(await queue.redrive());
  if (asJson) {
    console.log(JSON.stringify(reports, null, 2));
  } else {
    for (const report of reports) {
      const reasons = [...report.stays, ...report.left];
      const stay = reasons.length > 0 ? `, ${String(reasons.length)} stay` : "";
      console.log(`${report.queue}: ${String(report.sent)} sent back${stay}`);
      for (const why of reasons) console.log(`  stays: ${why}`);
      if (unseen(report)) console.log(`  ${described(report)}`);
    }
  }
  return reports.some((report) => report.stays.length > 0 || unseen(report) > 0);
}

function unseen({ visible, inFlight, delayed, seen }: Report): number {
  return Math.max(0, visible + inFlight + delayed - seen);
}

/** How many another listing or redrive holds. */
function held(report: Report): number {
  return Math.min(unseen(report), report.inFlight);
}

function described(report: Report): string {
  const { queue, visible, inFlight, delayed, seen, heldUntil } = report;
  const counted = `${String(visible)} visible, ${String(inFlight)} in flight, ${String(delayed)} delayed`;
  const all = String(visible + inFlight + delayed);
  let text = `${queue}: ${String(seen)} of ${all} seen (${counted})`;
  if (unseen(report)) text += "; not all seen";
  if (held(report)) {
    text += `, ${String(held(report))} held by another run until ${heldUntil} UTC at most`;
  }
  return text;
}
