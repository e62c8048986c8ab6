/** The Merkle tree of RFC 6962 and RFC 9162 over SHA-256: one door to its parts. */
export { emptyRoot, leafHash, nodeHash, type ReadHash } from './merkle-hash.ts'
export { consistencyProof, inclusionProof, rootAt } from './merkle-make.ts'
export { createTree, type Tree } from './merkle-tree.ts'
export { verifyConsistency, verifyInclusion } from './merkle-verify.ts'
