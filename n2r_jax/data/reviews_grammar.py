"""The words and sentences of the embedded hotel reviews, written for this project.

A template is a line of tokens. `{slot}` is replaced by a phrase of that slot's table, `{!slot}` by
one of the opposite polarity, and `[ ... ]` encloses the tokens that state the polarity: the gold
rationale. Where a table holds pairs, the first half is for polarity 1 (positive), the second for
0. Both halves have the same number of tokens and the same punctuation, so neither the length
of a review nor its punctuation can tell its label.
"""

from __future__ import annotations

Pair = tuple[str, str]
Table = tuple[str, ...] | tuple[Pair, ...]


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(" ".join(phrase.split()) for phrase in text.split("|"))


def _pairs(text: str) -> tuple[Pair, ...]:
    return tuple((good, bad) for good, bad in (_halves(pair) for pair in text.split("|")))


def _halves(pair: str) -> list[str]:
    return [" ".join(half.split()) for half in pair.split("/")]


def _aspect(subjects: str, adjectives: str, tales: str, mentions: str) -> dict[str, Table]:
    """Tables of one aspect; a subject ends with its copula ("the staff were")."""
    copulas = _phrases(subjects)
    things = tuple(subject.rsplit(" ", 1)[0] for subject in copulas)
    return {
        "subject": copulas,
        "thing": things,
        "noun": tuple(thing.removeprefix("the ") for thing in things),
        "own": _pairs(adjectives),
        "tale": _pairs(tales),
        "mention": _phrases(mentions),
    }


LOCATION = _aspect(
    subjects="""the location was | the neighbourhood was | the area was | the surroundings were |
        the street was | the address was | the quarter was | the setting was | the position was |
        the view was | the views were | the spot was""",
    adjectives="""central/remote | convenient/inconvenient | walkable/isolated | quiet/noisy |
        safe/dodgy | scenic/bleak | peaceful/rowdy | handy/awkward | picturesque/grim |
        charming/seedy | accessible/inaccessible | desirable/undesirable | tranquil/deafening |
        leafy/industrial | lively/desolate | secure/sketchy | relaxing/hectic | sunny/gloomy |
        inspiring/depressing | panoramic/blocked""",
    tales="""[ {place} is just a short stroll away ] / [ {place} is only a long drive away ] |
        it is [ an easy walk to ] {place} / it is [ a tiring trek to ] {place} |
        you are [ close to everything ] there / you are [ far from everything ] there |
        we [ slept without any street noise ] / we [ suffered under constant street noise ] |
        buses [ stop right outside ] / buses [ stop miles away ] |
        [ shops and cafes are around the corner ] / [ shops and cafes are nowhere in sight ] |
        at night we [ felt at ease walking back ] / at night we [ felt in danger walking back ] |
        our window [ overlooked the glittering bay ] / our window [ overlooked the rubbish bins ] |
        [ motorway noise never reached us ] / [ motorway noise always woke us ]""",
    mentions="""the hotel stands in a street behind {place} | our window faced the street |
        the address is printed on the booking form | {place} is on the other side of the river |
        the area has its own tram stop | we looked up the location on a map before {trip} |
        the view from the stairs is of {place} | the neighbourhood is named after {place} |
        a road with two lanes leads from the hotel to {place}""",
)

SERVICE = _aspect(
    subjects="""the staff were | the service was | the receptionist was | the concierge was |
        the waiters were | the manager was | the porters were | the front desk was |
        the bartender was | the team was | the waitress was | the housekeepers were |
        the night clerk was""",
    adjectives="""friendly/rude | helpful/unhelpful | attentive/inattentive | polite/impolite |
        courteous/discourteous | prompt/slow | welcoming/unwelcoming | efficient/inefficient |
        professional/unprofessional | kind/grumpy | patient/impatient | cheerful/surly |
        gracious/dismissive | accommodating/indifferent | warm/hostile | caring/careless |
        responsive/unresponsive | knowledgeable/clueless | thoughtful/arrogant |
        obliging/stubborn""",
    tales="""{person} [ greeted us with a smile ] / {person} [ greeted us with a shrug ] |
        {person} [ went out of the way to help ] /
        {person} [ could not even be bothered to help ] |
        {person} [ solved our problem within minutes ] /
        {person} [ ignored our problem for hours ] |
        {person} [ remembered our names ] / {person} [ forgot our requests ] |
        {person} [ gladly carried our bags ] / {person} [ never touched our bags ] |
        our calls were [ answered at once ] / our calls were [ left without reply ] |
        we [ were checked in swiftly ] / we [ were kept waiting endlessly ] |
        {person} [ apologised and fixed it ] / {person} [ argued and blamed us ] |
        {person} [ listened to every wish ] / {person} [ shouted at every guest ]""",
    mentions="""we asked {person} about {place} | {person} wore a {colour} uniform |
        {person} handed us the key card at {hour} | the front desk is to the left of the lift |
        {person} told us that {meal} is served from {hour} | the staff change shifts at {hour} |
        a tip for the service is not included in the bill |
        {person} came from {city} | we left our luggage with {person}""",
)

CLEANLINESS = _aspect(
    subjects="""the room was | the bathroom was | the carpet was | the sheets were |
        the towels were | the floor was | the shower was | the bedding was | the corridors were |
        the curtains were | the toilet was | the pillows were | the bathtub was""",
    adjectives="""clean/dirty | spotless/filthy | immaculate/grimy | pristine/stained |
        tidy/messy | fresh/musty | gleaming/dusty | hygienic/unhygienic | sparkling/sticky |
        polished/greasy | sanitary/unsanitary | unblemished/mouldy | well-kept/unswept |
        washed/unwashed | odourless/smelly | shiny/slimy | neat/shabby""",
    tales="""{thing} [ smelled of fresh linen ] / {thing} [ smelled of stale smoke ] |
        there was [ not a speck of dust ] on {furniture} / there was
        [ a thick layer of dust ] on {furniture} |
        {furniture} [ shone like new ] / {furniture} [ looked never wiped ] |
        housekeeping [ scrubbed everything daily ] / housekeeping [ skipped everything daily ] |
        {furniture} [ had been wiped with care ] /
        {furniture} [ was covered with crumbs everywhere ] |
        we saw [ no insects at all ] / we saw [ cockroaches and bedbugs everywhere ] |
        [ fresh towels arrived each day ] / [ used towels stayed each day ] |
        you could [ eat from the floor ] / you could [ write in the grime ] |
        they had [ vacuumed well under the bed ] / they had [ left hair under the bed ]""",
    mentions="""the room had {number} beds and {furniture} | housekeeping knocks at {hour} |
        the bathroom is to the right of the door | the carpet in the corridors is {colour} |
        the towels are {colour} and the curtains are {colour} | the room is on floor {number} |
        {furniture} is next to {furniture} | the sheets have a {colour} pattern |
        a sign in the shower explains when the towels are changed""",
)

ASPECTS: dict[str, dict[str, Table]] = {
    "location": LOCATION,
    "service": SERVICE,
    "cleanliness": CLEANLINESS,
}

OPINIONS: dict[str, tuple[str, ...]] = {
    "plain": _phrases("""[ {subject} {adjective} ] | [ {subject} {adjective} ] {when} |
        [ {subject} {very} {adjective} ] | [ {subject} {very} {adjective} ] {when} |
        {opening} [ {subject} {adjective} ] | {opening} [ {subject} {very} {adjective} ] |
        we found [ {thing} {very} {adjective} ] {when} | [ {thing} seemed {adjective} ] to us |
        {opening} [ {thing} seemed {very} {adjective} ] | we thought [ {subject} {adjective} ] |
        the [ {adjective} {noun} ] is what we remember from {trip} |
        [ {subject} {adjective} and {adjective} ] | [ {subject} both {adjective} and {adjective} ]
        {when} | {companion} called [ {thing} {very} {adjective} ] |
        what struck {companion} {when} is that [ {subject} {adjective} ]"""),
    "negated": _phrases("""[ {subject} {not} {!adjective} ] | [ {subject} {not} {!adjective} ]
        {when} | {opening} [ {subject} {not} {!adjective} ] |
        {companion} said that [ {subject} {not} {!adjective} ]"""),
    "tale": _phrases("{tale} | {tale} | {opening} {tale} | {tale} {when}"),
    "hedged": _phrases("""[ {subject} {adjective} ] , if a little {!adjective} on the last day |
        [ {subject} mostly {adjective} ] even if one guest called it {!adjective} |
        {opening} [ {subject} {adjective} ] with one or two {!adjective} moments"""),
}

KIND_SHARES = {"plain": 0.56, "negated": 0.12, "tale": 0.28, "hedged": 0.04}

JOINTS = _phrases(", and | while | and | ; | , whereas")
"""What joins two clauses of one sentence."""

ENDS = (".", ".", ".", ".", ".", "!")
"""What ends a sentence."""

COMMON: dict[str, Table] = {
    # Three in five adjectives belong to the aspect; the others only mean it beside its noun.
    "adjective": ("{own}", "{own}", "{own}", "{shared}", "{shared}"),
    "shared": _pairs("""great/poor | wonderful/awful | excellent/terrible | superb/dreadful |
        perfect/horrible | fantastic/disappointing | lovely/unpleasant | amazing/appalling |
        good/bad | decent/mediocre | outstanding/lousy | brilliant/abysmal |
        impressive/underwhelming | delightful/miserable | pleasing/annoying | nice/nasty |
        acceptable/unacceptable | splendid/shocking | marvellous/pathetic |
        admirable/deplorable"""),
    "very": _phrases(
        "really | truly | quite | genuinely | simply | just | so | absolutely | rather"
    ),
    "not": _phrases("not | never | far from | anything but | not at all | hardly"),
    "opening": _phrases("""overall , | honestly , | in our opinion , | for us , | to be fair , |
        as usual , | once again , | at this price , | frankly , | in short , | i must say that |
        as expected , | everyone agreed that | in {month} |"""),
    "when": _phrases("""during our stay | from start to finish | every day | on both nights |
        all week | the whole time | throughout {trip} | from the first minute | in {month} |
        this time | on our second visit | on {day} | both times | until we left"""),
    "place": _phrases("""the beach | the old town | the train station | the museum | the harbour |
        the market square | the cathedral | the airport | the castle | the opera house |
        the botanical garden | the conference centre | the metro | the zoo | the ferry pier |
        the university | the aquarium | the stadium | the town hall | the lighthouse"""),
    "person": _phrases("""the receptionist | the concierge | the manager | the waiter |
        the waitress | the porter | the bartender | the night clerk | the chef | the driver |
        the housekeeper | the doorman | the supervisor"""),
    "furniture": _phrases("""the desk | the wardrobe | the sofa | the mirror | the lamp |
        the armchair | the shelf | the minibar | the kettle | the sink | the bedside table |
        the television | the balcony door | the headboard | the radiator | the coffee machine"""),
    "month": _phrases("""january | february | march | april | may | june | july | august |
        september | october | november | december"""),
    "day": _phrases("monday | tuesday | wednesday | thursday | friday | saturday | sunday"),
    "number": _phrases("two | three | four | five | six | seven | eight | nine | eleven | twelve"),
    "hour": _phrases("six | seven | eight | nine | ten | eleven | noon | midnight | three | four"),
    "colour": _phrases("""blue | green | grey | beige | red | white | black | brown | yellow |
        purple | navy | ivory | turquoise | orange | pink"""),
    "meal": _phrases("breakfast | lunch | dinner | brunch | supper | tea"),
    "trip": _phrases("""our holiday | our honeymoon | the conference | a business trip |
        the wedding | our anniversary | the weekend | a family visit | the marathon |
        the festival | our tour | the half term | the trade fair | a school reunion |
        the cruise"""),
    "companion": _phrases("""my wife | my husband | my sister | my brother | my mother | my father |
        my boss | my friend | my daughter | my son | my cousin | my aunt | a colleague |
        our neighbour | my partner | my grandmother | my uncle | a fellow student"""),
    "city": _phrases("""lisbon | vienna | porto | madrid | seville | rome | milan | naples |
        athens | berlin | hamburg | munich | dresden | prague | budapest | warsaw | krakow |
        oslo | bergen | stockholm | helsinki | riga | tallinn | vilnius | dublin | cork |
        galway | edinburgh | glasgow | cardiff | york | bath | paris | lyon | nice | geneva
        | zurich | basel | brussels | antwerp | utrecht | copenhagen | aarhus | istanbul |
        izmir | cairo | tunis | boston | chicago | denver | seattle | toronto | montreal |
        kyoto | osaka | seoul | singapore"""),
    "transport": _phrases("""train | bus | taxi | ferry | bicycle | tram | plane | car | coach |
        motorbike | camper van | scooter"""),
    "dish": _phrases("""pasta | soup | salad | omelette | pancakes | porridge | toast | sausages |
        salmon | risotto | curry | noodles | dumplings | lasagne | steak | mussels | cheesecake |
        waffles | yoghurt | sandwiches | pizza | tacos | falafel | meatballs | goulash | sushi |
        paella | muffins | apple pie | grilled vegetables | lentil stew | roast chicken"""),
    "drink": _phrases("""coffee | juice | wine | beer | lemonade | cider | cocoa | milk | water |
        espresso | cappuccino | gin | whisky | sherry | ginger ale | herbal infusion"""),
    "activity": _phrases("""swimming | hiking | sailing | shopping | cycling | fishing | dancing |
        surfing | skiing | jogging | painting | climbing | bowling | rowing | golfing | kayaking |
        birdwatching | snorkelling | sightseeing | horse riding | ice skating"""),
    "weather": _phrases("""it rained | it snowed | the sun shone | it was foggy | it was windy |
        it drizzled | there was a thunderstorm | it hailed | the temperature dropped"""),
    "item": _phrases("""passport | camera | laptop | parasol | charger | guidebook | suitcase |
        raincoat | whistle | novel | radio | toothbrush | map | backpack | notebook |
        walking stick | scarf | telescope | flashlight | tripod | swimsuit | hat"""),
    "background": _phrases("""we travelled by {transport} from {city} to {city} |
        i was there with {companion} for {trip} | we stayed for {number} nights in {month} |
        {weather} on {day} | we had {dish} and {drink} for {meal} | {companion} ordered the {dish} |
        i packed my {item} and my {item} | {companion} lost a {item} on the {transport} |
        on {day} we went {activity} | {companion} prefers {activity} to {activity} |
        the next stop of our tour was {city} | we booked {number} weeks before {trip} |
        {weather} , so we went {activity} instead | the hotel has {number} floors and one lift |
        {meal} starts at {hour} and ends at {hour} | {companion} drank {drink} after {meal} |
        i wrote this on the {transport} back to {city} | the lobby has {number} {colour} chairs |
        {companion} flew in from {city} on {day} | we had been in {city} the week before |
        the menu lists {dish} , {dish} and {dish} | there is a shop with a {item} in the window |
        we were a group of {number} | {companion} collects postcards of {city} |
        i read a book about {city} in the evening | the {transport} to {city} leaves at {hour} |
        {companion} bought a {colour} {item} | a ticket for the {transport} costs {number} euros |
        we shared the {dish} with {companion} | in {month} the pool opens at {hour} |
        {companion} spoke about {activity} over {drink} | check-out is at {hour}"""),
}
