import { ADAPTER_FILES, type ChosenFiles } from './chosen-files';
import type { UploadSubject } from './upload-flow';
import type { NewAdapter } from './use-adapter-upload';

/** What the form begins with: nothing, or what is known of an adapter that is sent again. */
export const draftOf = (subject?: UploadSubject): NewAdapter => ({
  slug: subject?.slug ?? '',
  name: subject?.name ?? '',
  description: subject?.description ?? '',
  baseModelId: subject?.baseModelId ?? '',
});

/** Whether someone put work into it. The base model does not count: it may have been chosen for them. */
export const isFilled = (draft: NewAdapter, files: ChosenFiles, subject?: UploadSubject): boolean => {
  const before = draftOf(subject);
  return (
    ADAPTER_FILES.some((name) => files[name]) ||
    (['slug', 'name', 'description'] as const).some((field) => draft[field].trim() !== before[field].trim())
  );
};
