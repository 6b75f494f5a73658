/**
 * As much of pdfmake as is used here. The published types bring those of the browser along, with which the whole API
 * would be checked as if it ran in one.
 */
declare module 'pdfmake' {
  export interface Block {
    text?: Content | Content[];
    stack?: Content[];
    columns?: Content[];
    table?: Table;
    layout?: 'noBorders' | TableLayout;
    width?: number | 'auto' | '*' | `${number}%`;
    columnGap?: number;
    margin?: [left: number, top: number, right: number, bottom: number];
    alignment?: 'left' | 'right';
    fontSize?: number;
    lineHeight?: number;
    font?: string;
    bold?: boolean;
    italics?: boolean;
    color?: string;
    noWrap?: boolean;
  }
  export type Content = string | Block;

  export interface Table {
    body: Content[][];
    headerRows?: number;
    dontBreakRows?: boolean;
    widths?: (number | 'auto' | '*')[];
  }

  export interface TableLayout {
    hLineWidth(row: number, node: { table: Table }): number;
    hLineColor(row: number, node: { table: Table }): string;
    vLineWidth(column: number): number;
    paddingTop(row: number): number;
    paddingBottom(row: number): number;
    paddingLeft(column: number): number;
    paddingRight(column: number, node: { table: Table }): number;
  }

  export interface Definition {
    info: { title: string; author: string; creationDate?: Date };
    pageSize: 'A4';
    pageMargins: [left: number, top: number, right: number, bottom: number];
    defaultStyle: Block;
    content: Content[];
    footer(page: number, pages: number): Content;
  }

  const pdfmake: {
    setFonts(fonts: Record<string, { normal: string; bold: string; italics: string; bolditalics: string }>): void;
    setUrlAccessPolicy(mayFetch: (url: string) => boolean): void;
    setLocalAccessPolicy(mayRead: (path: string) => boolean): void;
    createPdf(definition: Definition): { getBuffer(): Promise<Buffer> };
  };
  export default pdfmake;
}
