import type { ApiError } from '@/lib/api/api-error';

type Sent = { id: string; error?: undefined } | { id?: undefined; error: ApiError };

const UNREACHABLE: ApiError = { code: 'API_UNREACHABLE', message: 'The connection was lost before the file had arrived. Try again.' };

/** To the API's own door for files of batches. */
export const sendFile = async (file: File): Promise<Sent> => {
  const form = new FormData();
  form.set('purpose', 'batch');
  form.set('file', file);
  try {
    const answer = await fetch('/api/batch-files', { method: 'POST', body: form });
    const body = (await answer.json()) as { id?: string; error?: ApiError };
    return body.id ? { id: body.id } : { error: body.error ?? UNREACHABLE };
  } catch {
    return { error: UNREACHABLE };
  }
};
