// Reads the example of docs/assertion.md from a file beside it, then answers for each assertion on standard input whom it names.
import { createInterface } from 'node:readline'

const { who } = await import(process.argv[2])
for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log((await who(line)).sub)
  } catch (refusal) {
    console.log('refused', refusal.code)
  }
}
process.exit()
