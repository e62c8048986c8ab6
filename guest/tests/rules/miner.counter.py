def strata(layers):
    return ["stratum" for _ in layers]
