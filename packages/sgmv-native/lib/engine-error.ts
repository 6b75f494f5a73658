/** An error of the engine. `code` is stable; the codes are listed in include/sgmv/error.h, plus `not_built`. */
export class EngineError extends Error {
  constructor(
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'EngineError';
  }
}
