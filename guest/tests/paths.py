"""Makes the agent's modules importable for the tests."""

import os
import sys

AGENT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "agent")
sys.path.insert(0, AGENT)
