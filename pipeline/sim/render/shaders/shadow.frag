uniform sampler2D backdrop_depth;
uniform vec2 viewport;
out vec4 color;
void main() {
    float ground = texture(backdrop_depth, gl_FragCoord.xy / viewport).r;
    if (gl_FragCoord.z > ground + 2e-4 * (1.0 - ground) * 50.0 + 1e-6) discard;
    color = vec4(1.0, 0.0, 0.0, 0.0);
}
