TABLE = {
    "a":                                                                                                                1,
}
