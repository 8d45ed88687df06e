"""Words that the tokenizer should hold whole, besides those of the questions and descriptions.

They are words that people use for such pictures (counted in the development file of the Cornell
NLVR corpus; single words, no sentence of it).
"""

PEOPLES = (
    "grey square contains boxes item object thing block with having which has that have where and "
    "it contain contains all the two of three none at least atleast more than exactly only one "
    "touching closely nearly touching an edge any edge wall side base bottom right left corner a "
    "box corner on over above right on top of below top base as the stacked together same color "
    "height different colored colors colour colours black tower three blocks four them another "
    "one between other multiple or yellow blue five six seven each both no not there is are"
)
