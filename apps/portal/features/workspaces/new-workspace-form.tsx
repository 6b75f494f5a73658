'use client';
import { Anchor, Button, Stack, Text, TextInput } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { useState } from 'react';
import { z } from 'zod';
import { authErrorMessage } from '@/features/session/auth-error';
import { useSignOut } from '@/features/session/use-sign-out';
import { createTenant } from '@/lib/api/auth-client';
import { FormProblem } from '@/ui/form-problem';
import { TextLink } from '@/ui/text-link';
import { workspaceName } from './workspace-name';

const schema = z.object({ name: workspaceName });

/** For a further workspace, and for people who have none (any more). */
export const NewWorkspaceForm = () => {
  const [problem, setProblem] = useState<string | null>(null);
  const signOut = useSignOut();
  const form = useForm({
    mode: 'uncontrolled',
    initialValues: { name: '' },
    validate: schemaResolver(schema, { sync: true }),
  });
  const create = async ({ name }: z.infer<typeof schema>): Promise<void> => {
    setProblem(null);
    const { error } = await createTenant(name.trim());
    if (error) return setProblem(authErrorMessage(error));
    // A full load, so that nothing of another workspace stays in the browser's memory.
    window.location.assign('/');
  };
  return (
    <form onSubmit={form.onSubmit(create)} noValidate aria-label="New workspace">
      <Stack>
        <FormProblem problem={problem} />
        <TextInput
          label="Company or team"
          description="Adapters, keys and usage belong to it"
          autoComplete="organization"
          size="md"
          key={form.key('name')}
          {...form.getInputProps('name')}
        />
        <Button type="submit" size="md" loading={form.submitting} mt="xs">
          Create workspace
        </Button>
        <Text size="sm" c="dimmed" ta="center">
          Were you invited to one? Open the link of your invitation instead.
        </Text>
        <Text size="sm" c="dimmed" ta="center">
          <TextLink href="/">Back to the portal</TextLink> or{' '}
          <Anchor component="button" type="button" inherit underline="always" onClick={() => void signOut()}>
            sign out
          </Anchor>
        </Text>
      </Stack>
    </form>
  );
};
