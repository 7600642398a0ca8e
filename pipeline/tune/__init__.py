"""Model, image size and batch that fit the machine at hand: measured in processes of their own, chosen by policy.

``policy`` holds the rules, ``tuning`` asks and measures, ``probe`` is what runs, ``readings`` remembers.
"""
