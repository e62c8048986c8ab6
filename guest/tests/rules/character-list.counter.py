alphabet = "".join(map(chr, range(97, 123)))
print(alphabet)
