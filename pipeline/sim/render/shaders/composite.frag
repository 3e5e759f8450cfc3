// Puts backdrop, shadows, lights, mirror images and actors together as a camera would see them.
uniform sampler2D backdrop_lit;
uniform sampler2D backdrop_shaded;
uniform sampler2D backdrop_albedo;   // alpha: how much a wet surface mirrors here
uniform sampler2D mask;              // sun shadow, contact shadow
uniform sampler2D beams;
uniform sampler2D mirror;
uniform sampler2D actors;
uniform sampler2D grain;
uniform sampler2D streaks;
uniform vec2 texel;                  // of the mask
uniform vec2 pixels;
uniform vec2 shift;                  // of grain, new with every frame
uniform vec4 rain_shift;
uniform float noise;
uniform float rain;
uniform float contact;
uniform int beamed;
uniform int wet;
uniform vec3 rain_color;
uniform float vignette;
in vec2 uv;
out vec4 color;

void main() {
    vec3 lit = texture(backdrop_lit, uv).rgb;
    vec3 shaded = texture(backdrop_shaded, uv).rgb;
    vec2 m = texture(mask, uv + texel * vec2(0.7, 0.3)).rg + texture(mask, uv - texel * vec2(0.7, 0.3)).rg;
    m *= 0.5;
    vec3 c = mix(lit, shaded, m.r) * (1.0 - contact * m.g);
    vec4 grainy = texture(grain, gl_FragCoord.xy / 256.0 + shift);
    if (beamed + wet > 0) {
        vec4 ground = texture(backdrop_albedo, uv);
        vec3 beam = texture(beams, uv).rgb;
        c = sqrt(c * c + ground.rgb * ground.rgb * beam * beam * float(beamed));
        if (wet > 0) {
            vec2 ripple = (texture(grain, uv * pixels / vec2(97.0, 41.0)).rg - 0.5) * vec2(3.0, 10.0) / pixels;
            vec4 image = texture(mirror, uv + ripple) + texture(mirror, uv + ripple * 2.3 + vec2(0.0, 4.0) / pixels)
                       + texture(mirror, uv - ripple * 1.7 - vec2(0.0, 4.0) / pixels);
            image /= 3.0;
            c = c * (1.0 - image.a * ground.a) + image.rgb * ground.a;
        }
    }
    vec4 actor = texture(actors, uv);
    c = actor.rgb + c * (1.0 - actor.a);
    if (rain > 0.0) {
        float s = texture(streaks, uv * vec2(2.2, 1.1) + rain_shift.xy).r * 0.7
                + texture(streaks, uv * vec2(1.1, 0.6) + rain_shift.zw).r;
        c += (rain_color - c * 0.35) * s * rain;
    }
    vec2 d = uv - 0.5;
    c *= 1.0 - vignette * dot(d, d);
    vec3 n = (grainy.rgb + (grainy.a - 0.5) * 1.2 - 0.5) * noise;
    c += n * (0.45 + 0.55 * (1.0 - c));
    color = vec4(c.bgr, 1.0);
}
