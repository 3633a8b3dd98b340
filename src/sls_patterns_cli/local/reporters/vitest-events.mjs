// A vitest reporter that writes what becomes of each test to a file, as lines of JSON. Of several
// stacks, each runs its share of the tests: the others' are skipped there, and not reported.
import { appendFileSync } from "node:fs";

const OUTCOMES = { passed: "passed", failed: "failed", skipped: "skipped", pending: "skipped" };

function write(event) {
  appendFileSync(process.env.SLS_PATTERNS_EVENTS, `${JSON.stringify(event)}\n`);
}

const share = JSON.parse(process.env.SLS_PATTERNS_SHARE);

const isOurs = (test) => share.ids.includes(test.fullName) !== share.others;

const seconds = () => Date.now() / 1000;

function textOf(errors) {
  return errors.flatMap((error) => [error.stack ?? error.message, error.diff ?? []].flat()).join("\n");
}

function failure(name, errors) {
  write({ event: "started", id: name, name, at: seconds() });
  write({ event: "ended", outcome: "failed", seconds: 0, at: seconds(), text: textOf(errors) });
}

export default class {
  onTestModuleCollected(module) {
    write({ event: "found", count: [...module.children.allTests()].filter(isOurs).length });
  }

  onTestCaseReady(test) {
    if (isOurs(test)) write({ event: "started", id: test.fullName, name: test.name, at: seconds() });
  }

  onTestCaseResult(test) {
    if (!isOurs(test)) return;
    const { state, errors = [] } = test.result();
    write({
      event: "ended",
      outcome: OUTCOMES[state],
      seconds: (test.diagnostic()?.duration ?? 0) / 1000,
      at: seconds(),
      text: textOf(errors),
    });
  }

  onTestModuleEnd(module) {
    if (module.errors().length > 0) failure(module.moduleId, module.errors());
  }

  onTestRunEnd(_modules, unhandled) {
    if (unhandled.length > 0) failure("outside of the proofs", unhandled);
  }
}
