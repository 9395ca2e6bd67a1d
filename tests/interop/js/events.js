// One event = one line of JSON on stdout.
export function emit (event, members) {
  process.stdout.write(JSON.stringify({ event, ...members }) + '\n')
}

export function fail (stage, err, peer) {
  emit('error', { stage, text: `${err.name}: ${err.message}`, ...(peer != null ? { peer } : {}) })
}
