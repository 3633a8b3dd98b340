// A vitest reporter that writes what becomes of each test to a file, as lines of JSON.
import { appendFileSync } from "node:fs";

const OUTCOMES = { passed: "passed", failed: "failed", skipped: "skipped", pending: "skipped" };

function write(event) {
  appendFileSync(process.env.SLS_PATTERNS_EVENTS, `${JSON.stringify(event)}\n`);
}

const seconds = () => Date.now() / 1000;

function textOf(errors) {
  return errors.flatMap((error) => [error.stack ?? error.message, error.diff ?? []].flat()).join("\n");
}

function failure(name, errors) {
  write({ event: "started", name, at: seconds() });
  write({ event: "ended", outcome: "failed", seconds: 0, at: seconds(), text: textOf(errors) });
}

export default class {
  onTestModuleCollected(module) {
    write({ event: "found", count: [...module.children.allTests()].length });
  }

  onTestCaseReady(test) {
    write({ event: "started", name: test.name, at: seconds() });
  }

  onTestCaseResult(test) {
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
