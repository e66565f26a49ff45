"""Closure: do the corrections do what they say, on events they were not derived from?"""
