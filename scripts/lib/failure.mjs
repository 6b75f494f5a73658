/**
 * A step that cannot go on for a reason we know: what happened and what to do about it, shown without a stack.
 * Anything else that is thrown is a bug of ours and is shown with one.
 */
export class Failure extends Error {
  /** @param {string} what @param {string} fix one or more lines @param {{ log?: string, detail?: string }} [more] */
  constructor(what, fix, { log, detail } = {}) {
    super(what);
    this.fix = fix;
    this.log = log;
    this.detail = detail;
  }
}

/** @param {NodeJS.ErrnoException} error @param {string} path Names a file-system error that the user can mend; passes others on. */
export function describeDiskError(error, path) {
  const code =
    error.code ?? /\b(ENOSPC|EDQUOT|EACCES|EROFS)\b/.exec(`${error.stderr ?? ''}${error.message}`)?.[1];
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new Failure(
      `The disk that holds ${path} is full.`,
      'Free some space there (df -h shows how much there is), then run npm start again.',
    );
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return new Failure(
      `${path} cannot be written.`,
      `Make it yours (sudo chown -R "$USER" ${path}), or set ARIL_HOME and ARIL_CACHE to folders you can write.`,
    );
  return error;
}
