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
  /** Complete adapters side by side, of which someone must choose one; `chosen` is then as it was before. */
  alternatives: AdapterFolder[];
}

/** What one folder holds of an adapter. */
export interface AdapterFolder {
  folder: string;
  files: ChosenFiles;
  path: string;
}

/** A dropped folder's files carry their path in `path`, those of a folder chooser in `webkitRelativePath`. */
const pathOf = (file: File): string =>
  ('path' in file && typeof file.path === 'string' && file.path) || file.webkitRelativePath || file.name;

const partsOf = (file: File): string[] =>
  pathOf(file)
    .split('/')
    .filter((part) => part && part !== '.');

const isComplete = ({ files }: AdapterFolder): boolean => ADAPTER_FILES.every((name) => files[name]);

const depth = ({ folder }: AdapterFolder): number => (folder === '' ? 0 : folder.split('/').length);

const isBelow = (inner: AdapterFolder, outer: AdapterFolder): boolean =>
  outer.folder === '' ? inner.folder !== '' : inner.folder.startsWith(`${outer.folder}/`);

/** The folders that hold any of the two files: a config belongs to the weights beside it and to no others. */
const foldersOf = (files: readonly File[]): AdapterFolder[] => {
  const folders = new Map<string, AdapterFolder>();
  for (const file of files) {
    const name = ADAPTER_FILES.find((each) => each === file.name);
    if (!name) continue;
    const folder = partsOf(file).slice(0, -1).join('/');
    const found = folders.get(folder) ?? { folder, files: {}, path: folder ? pathOf(file) : '' };
    found.files[name] = file;
    folders.set(folder, found);
  }
  return [...folders.values()].sort((a, b) => depth(a) - depth(b) || a.folder.localeCompare(b.folder));
};

/**
 * Finds the adapter among what was dropped. Training folders hold checkpoints below the final adapter, which are not
 * meant; adapters beside one another are alternatives. Without a complete folder, single files complete `before`.
 */
export const selectAdapterFiles = (files: readonly File[], before: ChosenFiles = {}): Selection => {
  const folders = foldersOf(files);
  const complete = folders.filter(isComplete);
  const outermost = complete.filter((each) => !complete.some((other) => isBelow(each, other)));
  const alternatives = outermost.length > 1 ? outermost : [];
  const found = alternatives.length > 0 ? undefined : (outermost[0] ?? folders[0]);
  const taken: File[] = found ? Object.values(found.files) : [];
  return {
    chosen: { ...before, ...found?.files },
    path: found?.path ?? '',
    ignored: files.filter((file) => !taken.includes(file)).map((file) => file.name),
    alternatives,
  };
};
