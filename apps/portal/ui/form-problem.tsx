import { Alert } from '@mantine/core';

interface Props {
  title?: string;
  /** Null while there is nothing wrong. */
  problem: string | null;
}

/** Above a form's fields: why it was not taken, where that is about none of them. */
export const FormProblem = ({ title, problem }: Props) =>
  problem === null ? null : (
    <Alert color="red" role="alert" title={title}>
      {problem}
    </Alert>
  );
