import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: '../api/schema.graphql',
  documents: ['lib/api/documents/*.ts'],
  ignoreNoDocuments: true,
  generates: {
    './lib/api/generated/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        useTypeImports: true,
        enumsAsTypes: true,
        strictScalars: true,
        scalars: { DateTime: 'string', NanoUsd: 'string', JSON: 'unknown' },
        avoidOptionals: { field: true },
      },
    },
  },
};

export default config;
