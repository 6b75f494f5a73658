/** Why an import came to nothing, in the form in which a refused adapter says what is wrong with it. */
import type { AdapterProblem } from '@aril/sgmv-native/inspect';
import { isDiskFull } from '@aril/object-store';
import { HubError } from '../../../integrations/hub/hub-error.js';

/** What no further attempt would change. */
export class ImportRefusal extends Error {
  constructor(
    readonly code: string,
    readonly found: string,
    readonly expected: string,
    /** The one at fault; otherwise it is the repository. */
    readonly file?: string,
  ) {
    super(`found ${found}, expected ${expected}`);
    this.name = 'ImportRefusal';
  }
}

export const isPassing = (error: unknown): boolean => !(error instanceof ImportRefusal) && (!(error instanceof HubError) || error.passing);

/** Of our own faults people learn that they are ours; the log has the rest. */
export function problemOf(error: unknown, repository: string): AdapterProblem {
  if (error instanceof HubError || error instanceof ImportRefusal) {
    const { code, found, expected } = error;
    const file = (error instanceof ImportRefusal && error.file) || repository;
    return { code, file, path: null, found, expected, message: `${file}: found ${found}, expected ${expected}` };
  }
  const found = isDiskFull(error) ? 'no space left where files wait for their check' : 'a fault of this installation, not of the repository';
  const expected = 'to be done by now; import it again later';
  return { code: 'import_interrupted', file: repository, path: null, found, expected, message: `${repository}: found ${found}, expected ${expected}` };
}
