/** The two files an adapter is made of, as PEFT names them. */
export const CONFIG_FILE = 'adapter_config.json';
export const WEIGHTS_FILE = 'adapter_model.safetensors';
export type AdapterFileName = typeof CONFIG_FILE | typeof WEIGHTS_FILE;
export const ADAPTER_FILES: readonly AdapterFileName[] = [CONFIG_FILE, WEIGHTS_FILE];

export type ChosenFiles = Partial<Record<AdapterFileName, File>>;

interface Selection {
  chosen: ChosenFiles;
  /** Where the files lay, to propose a slug from; empty when the browser did not say. */
  path: string;
  /** Names of files left aside. */
  ignored: string[];
}

/** A dropped folder's files carry their path in `path`, those of a folder chooser in `webkitRelativePath`. */
const pathOf = (file: File): string =>
  ('path' in file && typeof file.path === 'string' && file.path) || file.webkitRelativePath || file.name;

const depth = (file: File): number =>
  pathOf(file)
    .split('/')
    .filter((part) => part && part !== '.').length;

/**
 * Finds the adapter among what was dropped. Training folders hold checkpoints below the final adapter,
 * so of several files with the right name the one nearest to the top is meant.
 */
export const selectAdapterFiles = (files: readonly File[], before: ChosenFiles = {}): Selection => {
  const chosen: ChosenFiles = { ...before };
  const taken = new Set<File>();
  for (const name of ADAPTER_FILES) {
    const candidates = files.filter((file) => file.name === name).sort((a, b) => depth(a) - depth(b));
    const file = candidates[0];
    if (!file) continue;
    chosen[name] = file;
    taken.add(file);
  }
  const path = [...taken].map(pathOf).find((each) => each.includes('/')) ?? '';
  return { chosen, path, ignored: files.filter((file) => !taken.has(file)).map((file) => file.name) };
};
