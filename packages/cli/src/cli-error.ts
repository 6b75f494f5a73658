/** What a pipeline can tell apart by the exit code alone. Documented in docs/cli.md. */
export const EXIT = {
  /** The API refused, or could not be reached. */
  failed: 1,
  /** What was asked for cannot be asked for: also what commander ends with. */
  usage: 2,
  /** The adapter came whole and does not fit, or could not be had. */
  refused: 3,
} as const;

/** An end that is explained in its message, without a stack. */
export class CliError extends Error {
  constructor(
    message: string,
    readonly exitCode: number = EXIT.failed,
  ) {
    super(message);
    this.name = 'CliError';
  }
}
