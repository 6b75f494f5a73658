/** Upload ids tell what they are for, so that any copy of the API can judge one without a table of uploads. */
import { randomBytes } from 'node:crypto';
import { ADAPTER_FILES, type AdapterFileName } from '../adapter-content.js';

export const UPLOADS_PATH = '/uploads';

export interface UploadTarget {
  adapterId: string;
  file: AdapterFileName;
}

const KINDS: Record<AdapterFileName, string> = { 'adapter_config.json': 'config', 'adapter_model.safetensors': 'weights' };
const FORM = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(config|weights)\.[0-9a-f]{32}$/;

export const newUploadId = ({ adapterId, file }: UploadTarget): string =>
  `${adapterId}.${KINDS[file]}.${randomBytes(16).toString('hex')}`;

/** null: not an id that we made. */
export function parseUploadId(id: string): UploadTarget | null {
  const [, adapterId, kind] = FORM.exec(id) ?? [];
  const file = ADAPTER_FILES.find((name) => KINDS[name] === kind);
  return adapterId && file ? { adapterId, file } : null;
}
