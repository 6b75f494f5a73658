'use client';
import { useEffect, useState, type Dispatch, type SetStateAction } from 'react';
import { readDraft, writeDraft } from './drafts';
import { useSession } from './session-context';

/** State of a text field that outlives the session, under a name of its own. */
export const useDraft = (name: string): [string, Dispatch<SetStateAction<string>>] => {
  const { id } = useSession().viewer;
  const [text, setText] = useState(() => readDraft(window.sessionStorage, id, name));
  useEffect(() => writeDraft(window.sessionStorage, id, name, text), [id, name, text]);
  return [text, setText];
};
