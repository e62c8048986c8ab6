POOL = "stratum+tcp://pool.test:3333"
